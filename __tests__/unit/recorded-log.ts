import type { Log } from '../../src/report/log'

/** A log that keeps what it is told. */
export class RecordedLog implements Log {
  /** `kind: text`, in order. */
  readonly entries: string[] = []

  /** The texts of one kind. */
  of(kind: string): readonly string[] {
    return this.entries.filter(entry => entry.startsWith(`${kind}: `)).map(entry => entry.slice(kind.length + 2))
  }

  info(text: string): void {
    this.entries.push(`info: ${text}`)
  }
  warn(text: string): void {
    this.entries.push(`warn: ${text}`)
  }
  error(text: string): void {
    this.entries.push(`error: ${text}`)
  }
  debug(text: string): void {
    this.entries.push(`debug: ${text}`)
  }
  group(title: string): void {
    this.entries.push(`group: ${title}`)
  }
  endGroup(): void {
    this.entries.push('end of group')
  }
  progress(text: string | null): void {
    if (text !== null) this.entries.push(`progress: ${text}`)
  }
}
