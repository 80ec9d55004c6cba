import type { Architecture } from '../../boards'

/** One published image: exactly one file on a server. */
export interface Release {
  /** What users call the image, without a tag: `raspios-lite-arm64`. */
  readonly name: string
  /** The tag that means this release and no other, as a rule its date. */
  readonly pin: string
  /** Every tag that it is found by, {@link Release.pin} first; `latest` only where there is no other. */
  readonly tags: readonly string[]
  /** `YYYY-MM-DD` */
  readonly date: string | undefined
  readonly version: string | undefined
  readonly codename: string | undefined
  /** What the publisher calls it. */
  readonly title: string
  readonly architecture: Architecture
  readonly url: string
  /** SHA-256 of the file as downloaded. */
  readonly sha256: string | undefined
  /** SHA-256 of the disk in it. */
  readonly diskSha256: string | undefined
  /** Bytes of the file. */
  readonly downloadSize: number | undefined
  /** Bytes of the disk in it. */
  readonly diskSize: number | undefined
  /** Where we know it from: the publisher's list, or our own. */
  readonly from: 'catalogue' | 'index'
}

/** The name that gives this release again, whatever comes after it: `raspios-lite-arm64:2026-10-06`. */
export function pinned({ name, pin }: Pick<Release, 'name' | 'pin'>): string {
  return `${name}:${pin}`
}

/** What tells which of two releases is newer. */
export type Dated = Pick<Release, 'date' | 'version'>

/** Orders by version where both have one, else by date; the newest first. */
export function newestFirst(a: Dated, b: Dated): number {
  const byVersion =
    a.version === undefined || b.version === undefined ? 0 : b.version.localeCompare(a.version, 'en', { numeric: true })
  return byVersion || (b.date ?? '').localeCompare(a.date ?? '')
}
