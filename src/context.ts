import type { CacheHits, Saves, SharedCache } from './cache'
import type { Home } from './host/paths'
import type { OutputName } from './inputs'
import type { Journal } from './journal'
import type { Log } from './report/log'
import type { Phases } from './report/phases'
import type { RunRecord } from './report/record'

/** What a run is given besides the inputs. */
export interface Context {
  readonly home: Home
  readonly journal: Journal
  readonly log: Log
  readonly phases: Phases
  /** What the run gets to know for its report. */
  readonly record: RunRecord
  /** The script's own streams. */
  readonly stdout: (chunk: Buffer) => void
  readonly stderr: (chunk: Buffer) => void
  /** Called with each output as soon as it is known. */
  readonly output: (name: OutputName, value: string) => void
  /** What other jobs made. */
  readonly shared?: SharedCache | undefined
  /** What came from a cache. */
  readonly hits: CacheHits
  /** What goes to the shared cache while the run goes on. */
  readonly saves: Saves
}
