/** Something that is seen of a trouble, and what is known about it. */
export interface Symptom {
  /** Anchor in docs/troubleshooting.md. */
  readonly id: string
  readonly pattern: RegExp
  /** What the pattern looks for, as Markdown, for the table in the documentation. */
  readonly shows: string
  readonly symptom: string
  readonly cause: string
  readonly remedy: string
  /** The line only counts once it has been the console's last for this long (ms): it also passes by in good boots. */
  readonly lingers?: number
  /** A script's trouble that shows on the guest's console as well, or there alone. */
  readonly alsoOnConsole?: true
}

/** A row, and the line that showed it. */
export interface Finding {
  readonly row: Symptom
  readonly line: string
}
