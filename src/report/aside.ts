import type { Log } from './log'

type Line = (log: Log) => void

/**
 * A log for work that goes on beside the phase under way: it keeps what is said until its turn comes, since the sections
 * of a log do not nest. Progress is not kept: it would be late.
 */
export function keptLog(): { readonly log: Log; readonly replay: (to: Log) => void } {
  const lines: Line[] = []
  const keep = (line: Line): void => {
    lines.push(line)
  }
  return {
    log: {
      info: text => {
        keep(log => {
          log.info(text)
        })
      },
      warn: text => {
        keep(log => {
          log.warn(text)
        })
      },
      error: text => {
        keep(log => {
          log.error(text)
        })
      },
      debug: text => {
        keep(log => {
          log.debug(text)
        })
      },
      group: () => undefined,
      endGroup: () => undefined,
      progress: () => undefined
    },
    replay: to => {
      for (const line of lines.splice(0)) line(to)
    }
  }
}
