import type { ProcessIdentity } from './host/processes'
import type { TapNetwork } from './network'
import type { EngineThing } from './usermode/engine-things'

/**
 * What exists on the host because of a run. An entry is written before its thing is made, and says what proves that
 * the thing is ours.
 */
export type Entry =
  /** The process that does the run. */
  | { readonly kind: 'owner'; readonly process: ProcessIdentity }
  /** One long-lived process, by name; `patience` (ms) where it needs time to end, to write something out. */
  | {
      readonly kind: 'process'
      readonly name: string
      readonly process: ProcessIdentity
      readonly patience?: number | undefined
    }
  /** A file or folder that is being made outside the run's folder; removed unless `done` follows. */
  | { readonly kind: 'partial'; readonly path: string }
  | { readonly kind: 'done'; readonly path: string }
  /** An entry of a cache that must not be evicted while the run lives. */
  | { readonly kind: 'uses'; readonly path: string }
  /** Handlers in binfmt_misc, by what their names tell of the run. */
  | { readonly kind: 'handlers'; readonly id: string }
  | EngineThing
  /** A guest on the host's own network. */
  | TapNetwork
  /** The Pi, or the handlers, are meant to stay after main. */
  | { readonly kind: 'kept' }
