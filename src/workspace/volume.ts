import { constants } from 'node:fs'
import { copyFile, link, mkdir, mkdtemp, readlink, statfs, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { closeFolders, readBack, type FolderModes } from './read-back'
import { tryTool } from '../host/exec'
import { removeTree } from '../host/paths'
import { makeExt4 } from '../images/make-ext4'
import { HostFailure } from '../report/errors'
import { bytes, walk, type BytePath, type Excluded } from './tree'

/** The file system's label, by which the guest finds it. */
export const workspaceLabel = 'pi-workspace'

const GiB = 1024 ** 3
/** What the script may add to the workspace, where the host's disk allows it. */
const room = 16 * GiB

/** What was handed over: enough to tell later what changed on either side. */
export type Manifest = ReadonlyMap<
  BytePath,
  { readonly kind: 'file' | 'folder' | 'link'; readonly size: bigint; readonly mtimeNs: bigint }
>

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

/** Makes an ext4 volume of the workspace: no copy over the emulated network, and the guest reads only what it needs. */
export async function makeVolume({ workspace, excluded, owner, file, runFolder }: VolumeRequest): Promise<Manifest> {
  const manifest = new Map<BytePath, { kind: 'file' | 'folder' | 'link'; size: bigint; mtimeNs: bigint }>()
  let size = 0
  const seen = { exclusions: false }
  const noted: Excluded = (path, isFolder) => {
    const out = excluded(path, isFolder)
    seen.exclusions ||= out
    return out
  }
  if (workspace !== undefined) {
    for await (const { path, stat } of walk(workspace, noted)) {
      // Sockets, pipes and devices do not travel.
      if (!stat.isFile() && !stat.isDirectory() && !stat.isSymbolicLink()) continue
      manifest.set(path, {
        kind: stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'link',
        size: stat.size,
        mtimeNs: stat.mtimeNs
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
    owner,
    // The volume lives for one run; a journal would only double the writes.
    journal: false,
    inodes: manifest.size + 262_144,
    ...(stage !== undefined && { from: stage })
  })
  if (stage !== undefined && stage !== workspace) await removeTree(stage)
  return manifest
}

/** A tree of hard links (or copies, on another disk) without the excluded paths: mke2fs knows no exclusions. */
async function stageTree(workspace: string, excluded: Excluded, runFolder: string): Promise<string> {
  const stage = await mkdtemp(join(runFolder, 'stage-'))
  const modes = new Map<BytePath, number>()
  for await (const { path, stat } of walk(workspace, excluded)) {
    const [from, to] = [bytes(workspace, path), bytes(stage, path)]
    if (stat.isDirectory()) {
      await mkdir(to, { mode: 0o700 })
      modes.set(path, Number(stat.mode) & 0o7777)
    } else if (stat.isSymbolicLink()) await symlink(await readlink(from, { encoding: 'buffer' }), to)
    else if (stat.isFile()) await link(from, to).catch(() => copyFile(from, to, constants.COPYFILE_FICLONE))
  }
  await closeFolders(stage, modes)
  return stage
}

/** Copies the volume's files to an empty folder on the host, after a look at what the guest made of it. */
export async function readVolume(file: string, to: string): Promise<FolderModes> {
  await refuseDamage(file)
  return readBack(file, to)
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
