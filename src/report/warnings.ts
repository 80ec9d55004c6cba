import type { Log } from './log'

/** A log that remembers what was warned of; a text that comes again is remembered once. */
export function rememberWarnings(log: Log): { readonly log: Log; readonly warnings: readonly string[] } {
  const warnings: string[] = []
  const warn = (text: string): void => {
    if (!warnings.includes(text)) warnings.push(text)
    log.warn(text)
  }
  // All else is the log's own, whatever it is made of.
  return { warnings, log: Object.assign(Object.create(log) as Log, { warn }) }
}
