import { Phases, type PhaseTiming } from '../../../src/report/phases'
import { cell, gantt, inOrder, timingsTable } from '../../../src/report/timeline'
import { RecordedLog } from '../recorded-log'

const phase = (name: string, start: number, seconds: number, more: Partial<PhaseTiming> = {}): PhaseTiming => ({
  ...{ name, title: `Title of ${name}`, start, seconds, failed: false },
  ...more
})

/** What Mermaid's grammar of Gantt charts makes of a text: name of the section, words, tags, start and length in ms. */
function parsed(
  text: string
): readonly { section: string; words: string; tags: string[]; start: number; ms: number }[] {
  let section = ''
  return text.split('\n').flatMap(line => {
    const [, name] = /^ {2}section ([^\n]+)$/.exec(line) ?? []
    if (name !== undefined) section = name
    // taskTxt and taskData of its lexer: neither may hold a colon, the data neither # nor ;.
    const [, words, data] = /^ {4}([^:\n]+):([^:#;\n]+)$/.exec(line) ?? []
    if (words === undefined || data === undefined) return []
    const parts = data.split(',').map(part => part.trim())
    const [start = '', length = ''] = parts.slice(-2)
    expect([start, length]).toEqual([expect.stringMatching(/^\d+$/), expect.stringMatching(/^\d+ms$/)])
    return [{ section, words: words.trim(), tags: parts.slice(0, -2), start: Number(start), ms: parseInt(length) }]
  })
}

test('each phase is a bar in a section of its name, in the order in which they began', () => {
  const text = gantt({ phases: [phase('boot', 2.5, 24.04), phase('plan', 0, 0.012)], level: 'none' })
  expect(text.split('\n')).toEqual([
    '%%{init: {"gantt": {"leftPadding": 110}}}%%',
    'gantt',
    '  dateFormat x',
    '  axisFormat %s s',
    '  tickInterval 5second',
    '  todayMarker off',
    '  section plan',
    '    0.0 s Title of plan :0, 12ms',
    '  section boot',
    '    24.0 s Title of boot :2500, 24040ms'
  ])
})

test('the lengths of the bars of a name are what `timings` says, for one that ran twice as well', async () => {
  const phases = new Phases(new RecordedLog())
  phases.note('cache-save', 0.3333, 'Save')
  await phases.run('image', 'Image', () => Promise.resolve())
  phases.note('cache-save', 1.0004, 'Save')
  await phases.run('report', 'Report', () => Promise.reject(new Error('x'))).catch(() => undefined)
  const sums: Record<string, number> = {}
  for (const { section, ms } of parsed(gantt({ phases: phases.timings, level: 'none' })))
    sums[section] = (sums[section] ?? 0) + ms
  const timings = JSON.parse(phases.json()) as Record<string, number>
  expect(timings['cache-save']).toBe(1.333)
  expect(sums).toEqual(
    Object.fromEntries(Object.entries(timings).map(([name, seconds]) => [name, Math.round(seconds * 1000)]))
  )
  const table: Record<string, number> = {}
  for (const row of timingsTable({ phases: phases.timings, level: 'none' }).slice(2)) {
    const [, name = '', , , seconds] = row.split('|').map(text => text.trim())
    table[name] = Math.round(((table[name] ?? 0) + Number(seconds)) * 1000) / 1000
  }
  expect(table).toEqual(timings)
})

test('what a cache spared is grey, and what failed is red, in the picture and in the table', () => {
  const phases = [phase('image', 0, 1), phase('boot', 1, 2), phase('run', 3, 1, { failed: true })]
  const tags = (level: 'none' | 'prepared' | 'snapshot'): string[] =>
    parsed(gantt({ phases, level })).map(({ tags: [tag = ''] }) => tag)
  expect(parsed(gantt({ phases, level: 'prepared' })).map(({ words }) => words)).toEqual([
    ...['1.0 s Title of image, from a cache', '2.0 s Title of boot', '1.0 s Title of run, failed']
  ])
  expect(tags('none')).toEqual(['', '', 'crit'])
  expect(tags('prepared')).toEqual(['done', '', 'crit'])
  expect(tags('snapshot')).toEqual(['done', 'done', 'crit'])
  expect(timingsTable({ phases, level: 'prepared' }).slice(2)).toEqual([
    '| image | Title of image | 0.000 | 1.000 | from a cache |',
    '| boot | Title of boot | 1.000 | 2.000 |  |',
    '| run | Title of run | 3.000 | 1.000 | failed |'
  ])
})

test('a phase that failed was not spared', () => {
  const phases = [phase('image', 0, 1, { failed: true })]
  expect(parsed(gantt({ phases, level: 'prepared' })).map(({ tags }) => tags)).toEqual([['crit']])
})

test.each([
  'Save the disk to /work/a:b;c#d.img',
  'section x\n    break out :0, 1ms',
  '```\n# Hacked',
  'click me href "https://example.org"',
  '%%{init: {}}%% `prepare` <b>'
])('a title cannot say anything to Mermaid or Markdown: %s', title => {
  const text = gantt({ phases: [phase('a', 0, 1, { title }), phase('b', 1, 1)], level: 'none' })
  expect(parsed(text).map(({ section }) => section)).toEqual(['a', 'b'])
  expect(text.split('\n')).toHaveLength(10)
  // Lines begin with a number: statements of Mermaid begin with a word.
  expect(parsed(text).every(({ words }) => /^\d+\.\d s /.test(words))).toBe(true)
  expect(text.split('\n').slice(1).join('\n')).not.toMatch(/[`<>{}#;]/)
})

test.each([
  [0, '1second'],
  [12, '1second'],
  [13, '2second'],
  [100, '10second'],
  [600, '1minute'],
  [40_000, '1hour']
])('of %d seconds the axis has a tick for each %s', (end, interval) => {
  expect(gantt({ phases: [phase('run', 0, end)], level: 'none' })).toContain(`  tickInterval ${interval}\n`)
})

test('phases that go on at the same time are in the order of their starts', () => {
  expect(inOrder([phase('image', 1, 9), phase('tools', 0.5, 20)]).map(({ name }) => name)).toEqual(['tools', 'image'])
})

test('text stays within its cell', () => {
  expect(cell('a|b\n<img src=x> & c')).toBe('a\\|b &lt;img src=x> &amp; c')
})
