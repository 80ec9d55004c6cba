import { stripVTControlCharacters } from 'node:util'
import { explain, recognise, symptoms, type Finding } from './diagnosis'
import { describe } from './errors'

/** Characters of a script's output that are looked at for known troubles: its end. */
const looked = 64 * 1024

/** Remembers the end of what a script says, which goes on as it is. */
export class OutputTail {
  private readonly chunks: Buffer[] = []
  private length = 0

  /** A writer that passes everything on. */
  through(write: (chunk: Buffer) => void): (chunk: Buffer) => void {
    return chunk => {
      this.keep(chunk)
      write(chunk)
    }
  }

  /** Without colours and other control sequences. */
  get text(): string {
    return stripVTControlCharacters(Buffer.concat(this.chunks).toString())
  }

  private keep(chunk: Buffer): void {
    this.chunks.push(chunk)
    this.length += chunk.length
    while (this.length - (this.chunks[0]?.length ?? 0) > looked) this.length -= this.chunks.shift()?.length ?? 0
  }
}

/**
 * What is known of a trouble that a failed script's output shows, or its guest's console; undefined for all else.
 * @param said the end of its output
 * @param console the last lines of the guest's console
 */
export function hintFor(said: string, console: readonly string[] = []): string | undefined {
  const found = onConsole(console) ?? recognise('script', said)
  if (found === undefined) return undefined
  const { row, line } = found
  return describe({ symptom: `Known trouble: ${row.symptom} (“${shortened(line)}”)`, ...explain(row) })
}

/** The last line that tells of it is the plainest. Most of the rows would be found in a console that tells of something else. */
function onConsole(lines: readonly string[]): Finding | undefined {
  const rows = symptoms.script.filter(({ alsoOnConsole }) => alsoOnConsole)
  return rows.flatMap(row => lines.filter(line => row.pattern.test(line)).map(line => ({ row, line }))).at(-1)
}

/** Characters of a line that is shown. */
const shown = 200

function shortened(line: string): string {
  const text = line.replace(/\p{C}/gu, '').trim()
  return text.length > shown ? `${text.slice(0, shown)}…` : text
}
