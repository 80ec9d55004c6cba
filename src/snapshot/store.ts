import { statSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tool } from '../host/exec'
import type { Home } from '../host/paths'
import { touched, type PreparedImage } from '../images'

/** A booted Pi that stands still: its memory and devices, and what it had written to its disk by then. */
export interface Snapshot {
  readonly folder: string
  /** QEMU's migration stream. */
  readonly memory: string
  /** qcow2 overlay on the prepared image; only ever read. */
  readonly disk: string
  /** Bytes, as the guest sees the disk. */
  readonly diskSize: number
}

/** Names in a snapshot's folder. */
export const snapshotFiles = { memory: 'memory', disk: 'disk.qcow2', meta: 'meta.json' } as const

interface Meta {
  /** Bytes of the files, by which a cut-off one shows. */
  readonly memorySize: number
  readonly diskFileSize: number
  readonly diskSize: number
}

/** A snapshot in the cache; undefined if it is not there, or not whole. */
export async function loadSnapshot(home: Home, key: string): Promise<Snapshot | undefined> {
  const folder = join(home.snapshots, key)
  const at = (name: keyof typeof snapshotFiles): string => join(folder, snapshotFiles[name])
  try {
    const meta = JSON.parse(await readFile(at('meta'), 'utf8')) as Meta
    const sizes = await Promise.all([at('memory'), at('disk')].map(async file => (await stat(file)).size))
    if (sizes[0] !== meta.memorySize || sizes[1] !== meta.diskFileSize) return undefined
    await touched(folder)
    return { folder, memory: at('memory'), disk: at('disk'), diskSize: meta.diskSize }
  } catch {
    return undefined
  }
}

/** Describes the finished files in `build`, so that {@link adoptSnapshot} takes them. */
export async function sealSnapshot(build: string, diskSize: number): Promise<void> {
  const size = async (name: 'memory' | 'disk'): Promise<number> => (await stat(join(build, snapshotFiles[name]))).size
  const meta: Meta = { memorySize: await size('memory'), diskFileSize: await size('disk'), diskSize }
  await writeFile(join(build, snapshotFiles.meta), JSON.stringify(meta))
}

/**
 * Moves finished files into the cache. If another run was first, its snapshot is as good as ours. A guest that is
 * running from them goes on: its files are open.
 */
export async function adoptSnapshot(build: string, home: Home, key: string): Promise<Snapshot | undefined> {
  const folder = join(home.snapshots, key)
  await mkdir(home.snapshots, { recursive: true })
  if ((await loadSnapshot(home, key)) === undefined) await rm(folder, { recursive: true, force: true })
  await rename(build, folder).catch(() => undefined)
  return loadSnapshot(home, key)
}

/** Tells a disk overlay that came from another machine where the prepared image is on this one. */
export async function rebaseDisk(build: string, image: PreparedImage): Promise<void> {
  const disk = join(build, snapshotFiles.disk)
  await tool('qemu-img', ['rebase', '-u', '-f', 'qcow2', '-F', 'raw', '-b', image.disk, disk])
  const meta = JSON.parse(await readFile(join(build, snapshotFiles.meta), 'utf8')) as Meta
  await sealSnapshot(build, meta.diskSize)
}

/** How long (ms) an attempt that failed counts: what was in its way may be gone by then. */
const unfitFor = 24 * 3600 * 1000

/** Notes that no snapshot can be had under a key, so that not every run of the day tries again. */
export async function markUnfit(home: Home, key: string, why: string): Promise<void> {
  const file = unfitFile(home, key)
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, `${why}\n`)
}

export function isUnfit(home: Home, key: string): boolean {
  const since = statSync(unfitFile(home, key), { throwIfNoEntry: false })?.mtimeMs ?? -Infinity
  return Date.now() - since < unfitFor
}

export async function dropSnapshot({ folder }: Pick<Snapshot, 'folder'>): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

const unfitFile = (home: Home, key: string): string => join(home.snapshots, `${key}.unfit`)
