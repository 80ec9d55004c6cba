import type { BoardName } from '../boards'
import type { CpuModels, WantedPlatforms } from '../usermode/platforms'
import type { Building, ContainerRef } from './containers'
import type { Debugging } from './debugging'
import type { ExtraDisk, FileToPlace } from './files'
import type { ImageRef } from './images'
import type * as read from './readers'

export type SyncMode = 'both' | 'in' | 'out' | 'live' | 'none'

/** Which QEMU to use; a path names the program itself. */
export type QemuChoice =
  { readonly kind: 'auto' | 'host' | 'private' } | { readonly kind: 'path'; readonly path: string }

/** Libraries for programs that run on the host. */
export type Sysroot =
  { readonly kind: 'folder'; readonly path: string } | { readonly kind: 'image'; readonly image: ImageRef }

/** Everything the user asked for, checked. Times in ms, paths absolute. */
export interface Inputs {
  readonly mode: 'system' | 'user'
  readonly image: ImageRef
  readonly imageSha256: string | undefined
  readonly catalogUrl: string
  readonly board: BoardName | undefined
  readonly cpu: string | undefined
  readonly memoryMiB: number | undefined
  readonly cpus: number | undefined
  readonly clock: 'host' | 'icount' | undefined
  readonly firmware: 'uefi' | undefined
  readonly qemu: QemuChoice
  readonly platforms: WantedPlatforms | undefined
  readonly qemuCpu: CpuModels
  readonly setuid: boolean
  readonly sysroot: Sysroot | undefined
  /** Image to run the script in. */
  readonly container: ContainerRef | undefined
  /** Folder to build an image from. */
  readonly build: string | undefined
  /** How to build it. */
  readonly building: Building
  readonly run: string | undefined
  /** Script whose effects are part of the prepared image. */
  readonly prepare: string | undefined
  readonly prepareBoard: BoardName | undefined
  readonly shell: string | undefined
  readonly user: string | undefined
  readonly workingDirectory: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly sync: SyncMode
  readonly syncExclude: readonly string[]
  readonly syncGitignore: boolean
  /** Absolute paths and patterns in the guest. */
  readonly copyOut: readonly string[]
  readonly ports: readonly read.PortForward[]
  readonly network: 'user' | 'tap'
  /** Host port of the guest's SSH; undefined where the kernel chooses. */
  readonly sshPort: number | undefined
  /** Lines of an authorized_keys file. */
  readonly authorizedKeys: readonly string[]
  readonly append: string | undefined
  readonly kernel: string | undefined
  readonly initrd: string | undefined
  readonly dtb: string | undefined
  readonly overlays: readonly string[]
  readonly disks: readonly ExtraDisk[]
  readonly expect: RegExp | undefined
  readonly qemuArgs: readonly string[]
  readonly provision: 'auto' | 'none'
  readonly password: string | undefined
  readonly hostname: string | undefined
  readonly firstBoot: 'skip' | 'run'
  /** Bytes. */
  readonly diskSize: number | undefined
  readonly files: readonly FileToPlace[]
  readonly sshKey: string | undefined
  readonly cache: 'auto' | 'off' | 'read-only'
  readonly cacheKeySuffix: string | undefined
  /** Bytes. */
  readonly cacheMaxSize: number
  readonly snapshot: 'auto' | 'off'
  readonly boot: 'fast' | 'full'
  readonly storage: 'auto' | 'sd' | 'usb'
  readonly bootTimeout: number
  readonly runTimeout: number | undefined
  readonly keepRunning: boolean
  /** Of the Pi, for later steps. */
  readonly name: string
  /** Folder for a report of the run. */
  readonly reportDir: string | undefined
  /** Whether what systemd says of the boot belongs to it. */
  readonly bootAnalysis: boolean
  /** Whether a picture of the display belongs to it. */
  readonly screenshot: boolean
  readonly saveImage: { readonly path: string; readonly format: read.DiskFormat } | undefined
  /** Address of this host on which SSH and `ports` listen. No input: only `pi-qemu boot` can set another. */
  readonly listen: string
  /** Ways to look into the Pi. */
  readonly debugging: Debugging
  /** The host folder that `sync` exchanges. */
  readonly workspace: string
  /** The files by which this step tells its job something; undefined outside of a workflow. */
  readonly workflow: { readonly files: Readonly<Partial<Record<string, string>>> } | undefined
}
