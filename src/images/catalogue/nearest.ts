/** The words, those that are most like `to` first. Equally near ones keep their order. */
export function nearestFirst(to: string, words: readonly string[]): readonly string[] {
  const ranked = words.map(word => ({ word, distance: distance(to, word) }))
  return ranked.sort((a, b) => a.distance - b.distance).map(({ word }) => word)
}

const dayLength = 86_400_000
const isDate = (text: string): boolean => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text))

/** Two dates are as far apart as in the calendar, and nearer than anything that is no date. */
function distance(a: string, b: string): number {
  if (!isDate(a) || !isDate(b)) return letters(a, b)
  const days = Math.abs(Date.parse(a) - Date.parse(b)) / dayLength
  return days / (days + 1)
}

/** Letters to put in, take out or change (Levenshtein). */
function letters(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, at) => at)
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1]
    for (let j = 0; j < b.length; j++) {
      const [change = 0, remove = 0, insert = 0] = [row[j], row[j + 1], next[j]]
      next.push(Math.min(change + (a[i] === b[j] ? 0 : 1), remove + 1, insert + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
