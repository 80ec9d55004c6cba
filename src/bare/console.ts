import { poweredOff } from '../qemu'

/** How long (ms) an unfinished line has to stand still before it counts: a prompt has no line end. */
const promptPatience = 500

/** Follows a console's lines for what decides how a bare kernel's run ends. */
export class ConsoleWatch {
  /** The first line that shows what was expected. */
  matched: string | undefined
  /** The line with which the guest switched itself off. */
  off: string | undefined
  /** The line with which its kernel panicked. */
  panic: string | undefined

  constructor(private readonly expect: RegExp | undefined) {}

  /** Takes lines that are complete. */
  see(lines: readonly string[]): void {
    for (const line of lines) {
      if (this.matched === undefined && this.shows(line)) this.matched = line
      if (poweredOff.test(line)) this.off ??= line
      if (/Kernel panic - not syncing/.test(line)) this.panic ??= line
    }
  }

  /**
   * Takes the beginnings of lines.
   * @param quiet how long (ms) nothing was added to them
   */
  seeUnfinished(lines: readonly string[], quiet: number): void {
    if (quiet >= promptPatience) this.matched ??= lines.find(line => line !== '' && this.shows(line))
  }

  /** Whether there is nothing left to wait for. */
  get decided(): boolean {
    return (this.matched ?? this.off ?? this.panic) !== undefined
  }

  private shows(line: string): boolean {
    return this.expect?.test(line) === true
  }
}
