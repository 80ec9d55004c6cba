import type { SharedCache } from '../cache/shared'
import type { GuestSession, Login } from '../guest'
import type { Home } from '../host/paths'
import type { PreparedImage, RunKeys } from '../images'
import type { Journal } from '../journal'
import type { Machine, Qemu, QemuInstall, SerialLog } from '../qemu'
import type { Log } from '../report/log'
import type { Phases } from '../report/phases'
import type { Answer } from './channel'
import type { Snapshot } from './store'

export interface SnapshotRequest {
  readonly key: string
  readonly image: PreparedImage
  /** As it would boot without a snapshot; its first volume is the workspace's. */
  readonly machine: Machine
  readonly install: QemuInstall
  readonly login: Omit<Login, 'port'>
  readonly keys: RunKeys['slots']
  /** What root's shell in the guest runs once SSH is on its way, at a time (ms since 1970). */
  readonly setup: (clock: number) => string
  /** ms for a boot. */
  readonly timeout: number
  /** Whether a snapshot may be made, where there is none. */
  readonly mayMake: boolean
  readonly shared: SharedCache | undefined
  readonly place: { readonly home: Home; readonly journal: Journal; readonly log: Log; readonly phases: Phases }
  /** Called with QEMU and its serial log as soon as they are there. */
  readonly started: (serial: SerialLog, qemu: Qemu) => void
}

/** A guest that is up with the keys of this run. */
export interface Awake {
  readonly qemu: Qemu
  readonly serial: SerialLog
  readonly session: GuestSession
  /** What became of the set-up. */
  readonly setup: Answer
  /** Whether the guest was not booted in this run. */
  readonly restored: boolean
  /** A snapshot that this run made. */
  readonly made: Snapshot | undefined
}
