import type { Journal } from '../journal'
import type { Log } from '../report/log'

/** What is worth handing on: a ready image, a booted Pi, and a kernel and a QEMU that are neither's own. */
export type SharedKind = 'prepared' | 'snapshot' | 'kernel' | 'qemu'

/** Names a folder in the cache. The key says all that it depends on. */
export interface SharedEntry {
  readonly kind: SharedKind
  readonly key: string
}

/** A place for folders that other machines reach. Both say whether it worked; neither throws. */
export interface SharedCache {
  /** Fills the folder `into`, which exists, with what {@link SharedCache.save} was given. */
  restore(entry: SharedEntry, into: string, place: SharedPlace): Promise<boolean>
  save(entry: SharedEntry, from: string, place: SharedPlace): Promise<boolean>
}

export interface SharedPlace {
  readonly journal: Journal
  readonly log: Log
}
