import { randomInt } from 'node:crypto'
import { constants } from 'node:fs'
import { chmod, copyFile, link, mkdir, mkdtemp, readlink, statfs, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { removeTree } from '../host/paths'
import { makeExt4 } from '../images/make-ext4'
import { HostFailure } from '../report/errors'
import { Ext4Disk, rootInode } from './disk'
import { setChangedNanoseconds, setModifiedAt, setOwner, stateOf, type Kind } from './inode'
import { listVolume } from './listing'
import { bytes, walk, type BytePath, type Excluded } from './tree'

/** The file system's label, by which the guest finds it. */
export const workspaceLabel = 'pi-workspace'

const GiB = 1024 ** 3
/** What the script may add to the workspace, where the host's disk allows it. */
const room = 16 * GiB

/** What was handed over: enough to tell later what changed on either side. */
export type Manifest = ReadonlyMap<BytePath, SentEntry>

export interface SentEntry {
  readonly kind: Kind
  /** On the host: bytes, and ns since 1970. */
  readonly size: bigint
  readonly mtimeNs: bigint
  /** Permissions. */
  readonly mode: number
  /** On the volume. */
  readonly inode?: number
  /** The inode as it was handed over ({@link stateOf}). */
  readonly state?: Buffer
}

export interface VolumeRequest {
  /** Host folder to fill it with; undefined for an empty volume. */
  readonly workspace: string | undefined
  readonly excluded: Excluded
  /** Who owns everything in it, in the guest. */
  readonly owner: { readonly uid: number; readonly gid: number }
  /** Raw file to make (sparse). */
  readonly file: string
  /** The run's folder, for scratch. */
  readonly runFolder: string
}

/**
 * Makes an ext4 volume of the workspace: no copy over the emulated network, and the guest reads only what it needs.
 * The file may be made longer afterwards (`truncate`): the file system stays as it is.
 */
export async function makeVolume({ workspace, excluded, owner, file, runFolder }: VolumeRequest): Promise<Manifest> {
  const manifest = new Map<BytePath, SentEntry>()
  let size = 0
  const seen = { exclusions: false }
  const noted: Excluded = (path, isFolder) => {
    const out = excluded(path, isFolder)
    seen.exclusions ||= out
    return out
  }
  if (workspace !== undefined) {
    for (const { path, stat } of walk(workspace, noted)) {
      // Sockets, pipes and devices do not travel.
      if (!stat.isFile() && !stat.isDirectory() && !stat.isSymbolicLink()) continue
      manifest.set(path, {
        kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'link',
        size: stat.size,
        mtimeNs: stat.mtimeNs,
        mode: Number(stat.mode) & 0o7777
      })
      // Blocks, not length: sparse files stay sparse.
      size += Number(stat.blocks) * 512 + 4096
    }
  }
  const { bavail, bsize } = await statfs(runFolder)
  const free = bavail * bsize
  if (size > free) {
    throw new HostFailure({
      symptom: `the workspace (${(size / GiB).toFixed(1)} GiB) does not fit on the disk of ${runFolder} (${(free / GiB).toFixed(1)} GiB free)`,
      remedy: 'leave large folders out with `sync-exclude`, or free some space'
    })
  }
  const stage = workspace !== undefined && seen.exclusions ? await stageTree(workspace, excluded, runFolder) : workspace
  await makeExt4({
    file,
    size: Math.floor((size * 1.1 + Math.max(Math.min(room, free - size), GiB / 4)) / 4096) * 4096,
    label: workspaceLabel,
    // The volume lives for one run; a journal would only double the writes.
    journal: false,
    inodes: manifest.size + 262_144,
    ...(stage !== undefined && { from: stage })
  })
  if (stage !== undefined && stage !== workspace) await removeTree(stage)
  return stamp(file, manifest, owner)
}

/**
 * Gives all on a new volume to its owner, with times to the nanosecond (not every mke2fs has them), and notes the inodes
 * as they are then. The time of the last change gets nanoseconds that no clock will hit by chance again, so a guest
 * whose clock was set back cannot make a changed file look untouched.
 */
function stamp(file: string, manifest: Manifest, owner: VolumeRequest['owner']): Manifest {
  const disk = Ext4Disk.open(file, 'r+')
  try {
    const mark = randomInt(1, 1_000_000_000)
    const stamped = new Map<BytePath, SentEntry>()
    disk.change(rootInode, inode => {
      setOwner(inode, owner)
    })
    const listed = listVolume(disk, () => false)
    for (const [path, { inode: number }] of listed) {
      disk.change(number, inode => {
        const entry = manifest.get(path)
        setOwner(inode, owner)
        if (entry !== undefined) setModifiedAt(inode, entry.mtimeNs)
        setChangedNanoseconds(inode, mark)
      })
    }
    for (const [path, entry] of manifest) {
      const number = listed.get(path)?.inode
      stamped.set(path, number === undefined ? entry : { ...entry, inode: number, state: stateOf(disk.inode(number)) })
    }
    disk.flush()
    return stamped
  } finally {
    disk.close()
  }
}

/** A tree of hard links (or copies, on another disk) without the excluded paths: mke2fs knows no exclusions. */
async function stageTree(workspace: string, excluded: Excluded, runFolder: string): Promise<string> {
  const stage = await mkdtemp(join(runFolder, 'stage-'))
  const modes = new Map<BytePath, number>()
  for (const { path, stat } of walk(workspace, excluded)) {
    const [from, to] = [bytes(workspace, path), bytes(stage, path)]
    if (stat.isDirectory()) {
      await mkdir(to, { mode: 0o700 })
      modes.set(path, Number(stat.mode) & 0o7777)
    } else if (stat.isSymbolicLink()) await symlink(await readlink(from, { encoding: 'buffer' }), to)
    else if (stat.isFile()) await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE))
  }
  // The deepest first: a folder may close its parents.
  for (const [path, mode] of [...modes].reverse()) await chmod(bytes(stage, path), mode)
  return stage
}
