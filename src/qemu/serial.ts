import { closeSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { StringDecoder } from 'node:string_decoder'
import { stripVTControlCharacters } from 'node:util'
import { logFiles } from './argv'

/** Lines kept per UART: enough to see a boot's end, and to show it. */
const kept = 400

/** What Linux says last; boards without a power switch stand still then. */
export const poweredOff = /reboot: (?:Power down|System halted)/

/** Follows what the guest writes to its UARTs, which QEMU appends to files. */
export class SerialLog {
  private readonly uarts: {
    readonly file: string
    readonly decoder: StringDecoder
    position: number
    rest: string
    readonly lines: string[]
  }[]

  /** @param onData gets what is new as it is, whichever UART it came from */
  constructor(
    logs: string,
    uarts: number,
    private readonly onData: (chunk: Buffer) => void = () => undefined
  ) {
    this.uarts = Array.from({ length: uarts }, (_, uart) => ({
      file: join(logs, logFiles.serial(uart)),
      decoder: new StringDecoder('utf8'),
      position: 0,
      rest: '',
      lines: []
    }))
  }

  /** Number of the UART that has the most to say. */
  get mainUart(): number {
    const most = Math.max(...this.uarts.map(({ position }) => position))
    return Math.max(
      0,
      this.uarts.findIndex(({ position }) => position === most)
    )
  }

  /** Its log, for messages and the output. */
  get mainFile(): string {
    return this.uarts[this.mainUart]?.file ?? ''
  }

  /** Bytes seen so far. */
  get bytes(): number {
    return this.uarts.reduce((sum, { position }) => sum + position, 0)
  }

  /** Reads what is new; returns the new lines, the unfinished last one included (a prompt has no line end). */
  poll(): readonly string[] {
    return this.read().flatMap(({ finished, unfinished }) => [...finished, unfinished])
  }

  /** Reads what is new, by UART; one that said nothing is left out. */
  read(): readonly { readonly finished: readonly string[]; readonly unfinished: string }[] {
    return this.uarts.flatMap(uart => {
      const text = readFrom(uart.file, uart.position)
      if (text.length === 0) return []
      this.onData(text)
      uart.position += text.length
      const lines = (uart.rest + uart.decoder.write(text)).split(/\r*\n/)
      uart.rest = lines.at(-1) ?? ''
      const finished = lines.slice(0, -1).map(line => printable(line))
      uart.lines.push(...finished)
      uart.lines.splice(0, Math.max(0, uart.lines.length - kept))
      return [{ finished, unfinished: printable(uart.rest) }]
    })
  }

  /** What each UART has said since its last line end. */
  get unfinished(): readonly string[] {
    return this.uarts.map(({ rest }) => printable(rest))
  }

  /** The last lines of the busiest UART. */
  tail(count: number): readonly string[] {
    const busiest = this.uarts[this.mainUart]
    return busiest === undefined
      ? []
      : [...busiest.lines, printable(busiest.rest)].filter(line => line !== '').slice(-count)
  }
}

function readFrom(file: string, position: number): Buffer {
  let descriptor: number
  try {
    descriptor = openSync(file, 'r')
  } catch {
    return Buffer.alloc(0) // QEMU has not made it yet
  }
  try {
    const buffer = Buffer.alloc(256 * 1024)
    return buffer.subarray(0, readSync(descriptor, buffer, 0, buffer.length, position))
  } finally {
    closeSync(descriptor)
  }
}

/** Without colours and other control sequences; workflow commands from a console are defused. */
function printable(line: string): string {
  return stripVTControlCharacters(line)
    .replace(/[^\P{Cc}\t\n]/gu, '')
    .replace(/^(\s*):(?=:)/, '$1: ')
    .replaceAll('##[', '# #[')
}
