import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tryTool } from '../host/exec'
import { HostFailure } from '../report/errors'
import { copyContents, fetchContents } from './contents'
import { Ext4Disk } from './disk'
import { stateOf } from './inode'
import { listVolume, type VolumeEntry } from './listing'
import type { BytePath, Excluded } from './tree'
import type { Manifest } from './volume'

/** What the guest left at a path. */
export interface LeftEntry extends VolumeEntry {
  /** Whether it is the very file that was sent, and nothing was done to it since. */
  readonly untouched: boolean
}

export type Left = ReadonlyMap<BytePath, LeftEntry>

/** Brings the contents of files to the host; says where those of an inode are. */
export type Fetch = (inodes: readonly number[]) => Promise<(inode: number) => Buffer>

/** Copies the contents of one file to a new path. */
export type Copy = (inode: number, path: Buffer) => Promise<void>

/** What is on a volume after the run. */
export interface ReadBack {
  readonly left: Left
  readonly fetch: Fetch
  readonly copy: Copy
  /** An inode as it is, to tell later whether it changed. */
  readonly stateOf: (inode: number) => Buffer
}

export interface ReadBackRequest {
  readonly volume: string
  readonly sent: Manifest
  readonly excluded: Excluded
  /** Folder to make for contents; gone once `work` is done. */
  readonly scratch: string
}

/**
 * Looks at what the guest made of a volume, and lets `work` fetch contents from it. Names are looked at before a path is
 * made of them, contents are fetched by inode number into a folder of ours, and links are handed on as text: nothing
 * can lead out of that folder.
 * @throws HostFailure for a volume that no kernel leaves so; `work` is not called then
 */
export async function readVolume<T>(request: ReadBackRequest, work: (back: ReadBack) => Promise<T>): Promise<T> {
  const { volume, sent, excluded, scratch } = request
  await refuseDamage(volume)
  const disk = Ext4Disk.open(volume, 'r')
  try {
    const left = new Map<BytePath, LeftEntry>()
    for (const [path, entry] of listVolume(disk, excluded)) {
      const before = sent.get(path)
      const untouched = before?.inode === entry.inode && before.state?.equals(stateOf(disk.inode(entry.inode))) === true
      left.set(path, { ...entry, untouched })
    }
    const fetch: Fetch = async inodes => {
      await fetchContents(disk, inodes, scratch)
      return inode => Buffer.from(join(scratch, String(inode)))
    }
    return await work({
      left,
      fetch,
      copy: (inode, path) => copyContents(disk, inode, path),
      stateOf: inode => stateOf(disk.inode(inode))
    })
  } finally {
    disk.close()
    await rm(scratch, { recursive: true, force: true })
  }
}

/** What e2fsck may find in a file system that is frozen while programs still have files open in it. */
const harmless = [
  /^$/,
  /^e2fsck /,
  /^Pass [1-5]: /,
  /^Fix\? no$/,
  /^Deleted inode \d+ has zero dtime\./,
  /^Inode \d+ was part of the orphaned inode list\./,
  /^(Block|Inode) bitmap differences:/,
  // The guest's clock is not quite the host's.
  /^Superblock last (mount|write) time|^\t(\(by less than a day|now = )/,
  /^Timestamp\(s\) on inode \d+ beyond/,
  /^(Free blocks|Free inodes|Directories) count wrong/,
  /^pi-workspace: (\*+ WARNING: Filesystem still has errors|\d+\/\d+ files |was not cleanly unmounted)/
]

/** @throws HostFailure for a file system that is not whole, before anything is copied from it */
async function refuseDamage(file: string): Promise<void> {
  const { stdout, stderr } = await tryTool('e2fsck', ['-f', '-n', file])
  const found = `${stdout}\n${stderr}`.split('\n').filter(line => !harmless.some(pattern => pattern.test(line)))
  if (found.length === 0) return
  throw new HostFailure({
    symptom: `the workspace's volume is damaged; nothing was brought back:\n${found.slice(0, 5).join('\n')}`,
    cause: 'the guest wrote to the volume past its file system, or crashed while writing',
    remedy: 'do not trust this image with `sync: both` or `out`'
  })
}
