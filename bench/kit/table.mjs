// From the values of all rounds to one row each: medians, the ratio, and whether it is what it has to be.

export const median = values => {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/** How ours is compared with the peer in a round, and how that reads. */
export const comparisons = {
  faster: { of: ({ ours, peer }) => peer / ours, text: value => `${digits(value)}x faster` },
  share: { of: ({ ours, peer }) => ours / peer, text: value => `${digits(value)}x` },
  more: { of: ({ ours, peer }) => ours - peer, text: (value, unit) => `+${digits(value)} ${unit}` }
}

/**
 * One row of the result. `row` has `what`, `unit`, and as it applies `against` (the peer in words), `compare` (a name
 * of {@link comparisons}), the bars `least` and `most` for that comparison and `below` for our own value.
 */
export function summarize(name, row, rounds) {
  if (rounds.length === 0)
    return { name, what: row.what, unit: row.unit, bar: 'failed in every round', met: false, rounds }
  const ours = median(rounds.map(round => round.ours))
  const compare = row.compare && comparisons[row.compare]
  const peer = compare && median(rounds.map(round => round.peer))
  const ratio = compare && median(rounds.map(compare.of))
  const checks = [
    ...(row.least === undefined ? [] : [[`>= ${row.least}x`, ratio >= row.least]]),
    ...(row.most === undefined
      ? []
      : [[`<= ${row.most}${row.compare === 'more' ? ` ${row.unit}` : 'x'}`, ratio <= row.most]]),
    ...(row.below === undefined ? [] : [[`ours < ${row.below} ${row.unit}`, ours < row.below]])
  ]
  return {
    ...{ name, what: row.what, unit: row.unit, ours },
    ...(compare && { against: row.against, peer, ratio, compare: row.compare }),
    bar: checks.map(([text]) => text).join(', '),
    ...(checks.length > 0 && { met: checks.every(([, met]) => met) }),
    rounds
  }
}

/** The table, as Markdown. */
export function formatTable(rows) {
  const line = cells => `| ${cells.join(' | ')} |`
  const amount = (value, unit) => (value === undefined ? '' : `${digits(value)} ${unit}`)
  const cells = rows.map(({ what, ours, unit, against = '', peer, ratio, compare, bar, met }) => [
    ...[what, amount(ours, unit), against, amount(peer, unit)],
    ratio === undefined ? '' : comparisons[compare].text(ratio, unit),
    ...[bar, met === undefined ? '' : met ? 'yes' : 'NO']
  ])
  const head = ['what', 'ours', 'against', 'peer', 'ratio', 'bar', 'met']
  return [line(head), line(['---', '---:', '---', '---:', '---:', '---', '---']), ...cells.map(line)].join('\n')
}

const digits = value =>
  Math.abs(value) >= 100 ? value.toFixed(0) : Math.abs(value) >= 10 ? value.toFixed(1) : value.toFixed(2)
