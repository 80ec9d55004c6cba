import type { Journal } from '../journal'
import type { Log } from '../report/log'

/** The three things worth handing on: a ready image, a booted Pi, and a QEMU that is not the host's. */
export type SharedKind = 'prepared' | 'snapshot' | 'qemu'

/** Names a folder in the cache. The key says all that it depends on. */
export interface SharedEntry {
  readonly kind: SharedKind
  readonly key: string
}

/** A place for folders that other machines reach. Both say whether it worked; neither throws. */
export interface SharedCache {
  /** Whether this run may leave something in it, as far as its inputs say. */
  readonly canSave: boolean
  /** Fills the folder `into`, which exists, with what {@link SharedCache.save} was given. */
  restore(entry: SharedEntry, into: string, place: SharedPlace): Promise<boolean>
  save(entry: SharedEntry, from: string, place: SharedPlace): Promise<boolean>
}

export interface SharedPlace {
  readonly journal: Journal
  readonly log: Log
}

/** The same cache, for a job that is to leave nothing in it. */
export function readOnly(cache: SharedCache): SharedCache {
  return {
    canSave: false,
    restore: (entry, into, place) => cache.restore(entry, into, place),
    save: () => Promise.resolve(false)
  }
}
