import type { BigIntStats } from 'node:fs'
import {
  chmod,
  copyFile,
  lchown,
  lstat,
  mkdir,
  open,
  readlink,
  rename,
  rm,
  rmdir,
  symlink,
  unlink,
  utimes
} from 'node:fs/promises'
import { isRoot } from '../host/tools'
import type { Log } from '../report/log'
import { bytes, walk, type BytePath, type Excluded } from './tree'
import type { FolderModes } from './read-back'
import type { Manifest } from './volume'

export interface MirrorRequest {
  /** What the guest left, on the host; taken apart by this. */
  readonly from: string
  readonly workspace: string
  /** What was sent; only that can have been deleted in the guest. */
  readonly sent: Manifest
  readonly excluded: Excluded
  /** Permissions of the guest's folders, where they differ from those in `from`. */
  readonly folderModes?: FolderModes
  readonly log: Log
}

export interface MirrorResult {
  readonly written: number
  readonly deleted: number
}

/**
 * Makes the workspace what the guest left: deletions, then new and changed files, modes and links. What was never sent,
 * and what changed on the host meanwhile while the guest left it alone, stays. Links are never followed.
 */
export async function mirror(request: MirrorRequest): Promise<MirrorResult> {
  const left = new Map<BytePath, BigIntStats>()
  for await (const { path, stat } of walk(request.from, request.excluded)) {
    left.set(path, stat)
    if (stat.isDirectory()) await openFolder(bytes(request.from, path), stat)
  }
  const deleted = await deleteMissing(request, left)
  const written = await writeChanged(request, left)
  return { written, deleted }
}

async function writeChanged(
  { from, workspace, sent, folderModes, log }: MirrorRequest,
  left: ReadonlyMap<BytePath, BigIntStats>
): Promise<number> {
  const owner = await lstat(workspace)
  const blocked: BytePath[] = []
  const folders: { readonly path: BytePath; readonly mode: number }[] = []
  let written = 0
  for (const [path, stat] of left) {
    if (blocked.some(parent => path.startsWith(`${parent}/`))) continue
    const [source, target] = [bytes(from, path), bytes(workspace, path)]
    const existing = await lstat(target, { bigint: true }).catch(() => undefined)
    if (stat.isDirectory()) {
      folders.push({ path, mode: folderModes?.get(path) ?? Number(stat.mode) & 0o7777 })
      if (existing?.isDirectory() === true) {
        await openFolder(target, existing)
        continue
      }
      if (existing !== undefined) await unlink(target)
      await mkdir(target)
    } else if (existing !== undefined && (await isSame(source, stat, target, existing))) {
      if (!stat.isFile() || (stat.mode & 0o7777n) === (existing.mode & 0o7777n)) continue
      await chmod(target, Number(stat.mode) & 0o7777)
      written++
      continue
    } else if (existing !== undefined && changedOnlyHere(stat, existing, sent.get(path))) {
      log.warn(`${shown(path)} changed on the host while the script ran, and not in the guest: kept`)
      continue
    } else if (
      existing?.isDirectory() === true &&
      !(await rmdir(target).then(
        () => true,
        () => false
      ))
    ) {
      log.warn(`${shown(path)} is no folder in the guest any more, but on the host it holds files of its own: kept`)
      blocked.push(path)
      continue
    } else {
      await move(source, target)
    }
    if (isRoot()) await lchown(target, owner.uid, owner.gid)
    // After the owner: a change of owner takes setuid away.
    if (stat.isFile()) await chmod(target, Number(stat.mode) & 0o7777)
    written++
  }
  // Last, since a folder may be read-only; deepest first, since it may be closed.
  for (const { path, mode } of folders.reverse()) await chmod(bytes(workspace, path), mode)
  return written
}

/** Removes from the workspace what was sent and is not there any more in the guest. */
async function deleteMissing(
  { workspace, sent, log }: MirrorRequest,
  left: ReadonlyMap<BytePath, BigIntStats>
): Promise<number> {
  let deleted = 0
  // Folders come before what they hold, so in reverse they come last.
  for (const [path, entry] of [...sent].reverse()) {
    const now = left.get(path)
    if (now !== undefined && (entry.kind !== 'folder' || now.isDirectory())) continue
    if (!(await isBelowRealFolders(workspace, path))) continue
    const target = bytes(workspace, path)
    const existing = await lstat(target, { bigint: true }).catch(() => undefined)
    if (existing === undefined || existing.isDirectory() !== (entry.kind === 'folder')) continue
    if (entry.kind === 'folder') {
      // Something of the host's own may be in it.
      const removed = await rmdir(target).then(
        () => true,
        () => false
      )
      if (removed && now === undefined) deleted++
    } else if (existing.size !== entry.size || existing.mtimeNs !== entry.mtimeNs) {
      log.warn(`${shown(path)} was deleted in the guest, but changed on the host meanwhile: kept`)
    } else {
      await openFolder(bytes(workspace, path.slice(0, Math.max(0, path.lastIndexOf('/')))))
      await unlink(target)
      deleted++
    }
  }
  return deleted
}

/** Whether no folder on the way to a path is a link by now: it could lead anywhere. */
async function isBelowRealFolders(workspace: string, path: BytePath): Promise<boolean> {
  const parents = path.split('/').slice(0, -1)
  for (let depth = 1; depth <= parents.length; depth++) {
    const parent = await lstat(bytes(workspace, parents.slice(0, depth).join('/'))).catch(() => undefined)
    if (parent?.isDirectory() !== true) return false
  }
  return true
}

/** A folder closed to writing is opened while we work in it; at the end it gets the guest's permissions. */
async function openFolder(path: Buffer, stat?: BigIntStats): Promise<void> {
  const mode = Number((stat ?? (await lstat(path, { bigint: true }))).mode) & 0o7777
  if ((mode & 0o700) !== 0o700) await chmod(path, mode | 0o700)
}

/** A path for readers. */
const shown = (path: BytePath): string => Buffer.from(path, 'latin1').toString('utf8')

/** ext4 on the volume keeps whole seconds of what came from the host. */
function changedOnlyHere(
  guest: BigIntStats,
  host: BigIntStats,
  sent: { readonly size: bigint; readonly mtimeNs: bigint } | undefined
): boolean {
  if (sent === undefined) return false
  const untouchedInGuest = guest.size === sent.size && guest.mtimeMs / 1000n === sent.mtimeNs / 1_000_000_000n
  return untouchedInGuest && (host.mtimeNs !== sent.mtimeNs || host.size !== sent.size)
}

async function isSame(source: Buffer, stat: BigIntStats, target: Buffer, existing: BigIntStats): Promise<boolean> {
  if (stat.isSymbolicLink() && existing.isSymbolicLink()) {
    const [a, b] = await Promise.all([
      readlink(source, { encoding: 'buffer' }),
      readlink(target, { encoding: 'buffer' })
    ])
    return a.equals(b)
  }
  if (!stat.isFile() || !existing.isFile() || stat.size !== existing.size) return false
  const [a, b] = [await open(source, 'r'), await open(target, 'r')]
  try {
    const [left, right] = [Buffer.alloc(1 << 18), Buffer.alloc(1 << 18)]
    for (;;) {
      const { bytesRead } = await a.read(left, 0, left.length)
      const other = await b.read(right, 0, right.length)
      if (bytesRead !== other.bytesRead || !left.subarray(0, bytesRead).equals(right.subarray(0, bytesRead)))
        return false
      if (bytesRead === 0) return true
    }
  } finally {
    await a.close()
    await b.close()
  }
}

/** Replaces `target` in one step, on the same disk or not. */
async function move(source: Buffer, target: Buffer): Promise<void> {
  try {
    await rename(source, target)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
    const stat = await lstat(source)
    if (stat.isSymbolicLink()) {
      await rm(target, { force: true })
      await symlink(await readlink(source, { encoding: 'buffer' }), target)
      return
    }
    // A name of its own: the target's may be as long as a name can be.
    const beside = Buffer.concat([
      target.subarray(0, target.lastIndexOf('/') + 1),
      Buffer.from(`.pi-qemu-${process.pid}`)
    ])
    await copyFile(source, beside)
    await utimes(beside, stat.atime, stat.mtime)
    await rename(beside, target)
  }
}
