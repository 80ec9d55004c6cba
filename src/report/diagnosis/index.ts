import { consoleSymptoms, lateSymptoms } from './console'
import { hostSymptoms } from './host'
import { qemuSymptoms } from './qemu'
import { scriptSymptoms } from './script'
import type { Finding, Symptom } from './types'

export type { Finding, Symptom } from './types'

/** Everything that is known of troubles, by where it is seen. The tables in docs/troubleshooting.md are made from this. */
export const symptoms = {
  console: consoleSymptoms,
  late: lateSymptoms,
  qemu: qemuSymptoms,
  script: scriptSymptoms,
  host: hostSymptoms
} as const satisfies Readonly<Record<string, readonly Symptom[]>>

/** The page on which every row has an anchor. */
export const troubleshooting = 'docs/troubleshooting.md'

/**
 * The first row that any of a console's lines shows, and the line that showed it.
 * @param quiet how long (ms) the console has been silent since the last of the lines
 */
export function diagnose(lines: readonly string[], quiet = 0): Finding | undefined {
  return firstOf(consoleSymptoms, lines, quiet)
}

/** What is known of troubles that are seen elsewhere, in text of any length. */
export function recognise(place: Exclude<keyof typeof symptoms, 'console'>, text: string): Finding | undefined {
  return firstOf(symptoms[place], text.split(/\r*\n|\r/), 0)
}

function firstOf(rows: readonly Symptom[], lines: readonly string[], quiet: number): Finding | undefined {
  for (const row of rows) {
    const candidates = row.lingers === undefined ? lines : quiet >= row.lingers ? lines.slice(-1) : []
    const line = candidates.find(candidate => row.pattern.test(candidate))
    if (line !== undefined) return { row, line }
  }
  return undefined
}

/** What a row has to say of a failure that it is the reason of. */
export function explain({ cause, remedy, id }: Pick<Symptom, 'cause' | 'remedy' | 'id'>): {
  readonly cause: string
  readonly remedy: string
  readonly see: string
} {
  return { cause, remedy, see: id }
}
