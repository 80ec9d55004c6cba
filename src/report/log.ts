import { StringDecoder } from 'node:string_decoder'
import * as core from '@actions/core'

/** Where our own words go. The script's output never passes through here. */
export interface Log {
  info(text: string): void
  warn(text: string): void
  error(text: string): void
  debug(text: string): void
  /** Opens a titled section; sections do not nest. */
  group(title: string): void
  endGroup(): void
  /** Shows how far a long piece of work is; `null` removes the line again. */
  progress(text: string | null): void
}

/** For a workflow: log groups and annotations. */
export const actionLog: Log = {
  info: text => {
    core.info(text)
  },
  warn: text => {
    core.warning(text)
  },
  error: text => {
    core.error(text)
  },
  debug: text => {
    core.debug(text)
  },
  group: title => {
    core.startGroup(title)
  },
  endGroup: () => {
    core.endGroup()
  },
  progress: text => {
    if (text !== null) core.info(text)
  }
}

/** For a terminal: everything on stderr, so that stdout is the script's alone. */
export function terminalLog(stream: NodeJS.WriteStream = process.stderr, verbose = false): Log {
  let bar = false
  const line = (text: string): void => {
    if (bar) stream.write('\r\x1b[K')
    bar = false
    stream.write(`${text}\n`)
  }
  return {
    info: text => {
      line(`  ${text.replaceAll('\n', '\n  ')}`)
    },
    warn: text => {
      line(`warning: ${text}`)
    },
    error: text => {
      line(`error: ${text}`)
    },
    debug: text => {
      if (verbose) line(`  ${text}`)
    },
    group: title => {
      line(`> ${title}`)
    },
    endGroup: () => undefined,
    progress: text => {
      if (!stream.isTTY) {
        if (text !== null) line(`  ${text}`)
        return
      }
      stream.write(text === null ? '\r\x1b[K' : `\r\x1b[K  ${text.slice(0, (stream.columns || 80) - 3)}`)
      bar = text !== null
    }
  }
}

/** A {@link Log.progress} reporter for bytes: often on a terminal, rarely in a log file. */
export function byteProgress(
  log: Log,
  title: string,
  total: number | undefined
): { add(bytes: number): void; end(): void } {
  const interval = process.stderr.isTTY ? 200 : 10_000
  const started = Date.now()
  let done = 0
  let shown = started
  return {
    add(bytes) {
      done += bytes
      const now = Date.now()
      if (now - shown < interval) return
      shown = now
      const speed = `${mib(done / ((now - started) / 1000))}/s`
      const share = total === undefined ? '' : ` of ${mib(total)} (${Math.floor((done / total) * 100)} %)`
      log.progress(`${title}: ${mib(done)}${share}, ${speed}`)
    },
    end() {
      if (process.stderr.isTTY) log.progress(null)
    }
  }
}

/** Shows a stream of bytes in the log, line by line. */
export function lineLog(log: Log): { readonly write: (chunk: Buffer) => void; readonly end: () => void } {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return {
    write(chunk) {
      const lines = (rest + decoder.write(chunk)).split(/\r*\n/)
      rest = lines.pop() ?? ''
      for (const line of lines) log.info(line)
    },
    end() {
      if (rest !== '') log.info(rest)
      rest = ''
    }
  }
}

/** Bytes as MiB, for readers. */
export function mib(bytes: number): string {
  return `${(bytes / 1_048_576).toFixed(bytes < 10_485_760 ? 1 : 0)} MiB`
}
