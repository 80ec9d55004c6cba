import type { Journal } from '../journal'
import type { Log } from '../report/log'

/** What is worth handing on: a ready image, a booted Pi, and a kernel and a QEMU that are neither's own. */
export type SharedKind = 'prepared' | 'snapshot' | 'kernel' | 'qemu'

/** Names a folder in the cache. The key says all that it depends on. */
export interface SharedEntry {
  readonly kind: SharedKind
  readonly key: string
}

/** A place for folders that other machines reach. Neither way throws. */
export interface SharedCache {
  /** Whether this run may leave something in it, as far as its inputs say. */
  readonly canSave: boolean
  /** Fills the folder `into`, which exists, with what {@link SharedCache.save} was given; whether there was such. */
  restore(entry: SharedEntry, into: string, place: SharedPlace): Promise<boolean>
  /** Whether others get this very folder from now on, and not one that was saved before under the same key. */
  save(entry: SharedEntry, from: string, place: SharedPlace): Promise<boolean>
}

export interface SharedPlace {
  readonly journal: Journal
  readonly log: Log
  /** Waits until the host has the tools that unpack an entry. */
  readonly tools?: () => Promise<void>
}

/** The same cache, for a job that is to leave nothing in it. */
export function readOnly(cache: SharedCache): SharedCache {
  return {
    canSave: false,
    restore: (entry, into, place) => cache.restore(entry, into, place),
    save: () => Promise.resolve(false)
  }
}
