import type { BigIntStats } from 'node:fs'
import { lstatSync } from 'node:fs'
import { chmod, lchown, link, lstat, mkdir, open, readlink, rename, rmdir, symlink, unlink } from 'node:fs/promises'
import { isRoot } from '../host/tools'
import type { Log } from '../report/log'
import type { Copy, Fetch, Left, LeftEntry } from './read-back'
import { bytes, type BytePath } from './tree'
import type { Manifest, SentEntry } from './volume'

export interface MirrorRequest {
  /** What the guest left, folders before what they hold. */
  readonly left: Left
  readonly workspace: string
  /** What was sent; only that can have been deleted in the guest. */
  readonly sent: Manifest
  readonly fetch: Fetch
  readonly copy: Copy
  readonly log: Log
}

export interface MirrorResult {
  readonly written: number
  readonly deleted: number
}

/**
 * Makes the workspace what the guest left: deletions, then new and changed files, modes and links. What was never sent,
 * and what changed on the host meanwhile while the guest left it alone, stays. Links are never followed. Contents are
 * fetched before anything is changed, and only those of files that the guest touched or the host has otherwise by now.
 */
export async function mirror(request: MirrorRequest): Promise<MirrorResult> {
  const { left, fetch } = request
  const same = unchanged(request)
  const inodes = [...left].flatMap(([path, { kind, inode }]) => (kind === 'file' && !same.has(path) ? [inode] : []))
  const contents = await fetch([...new Set(inodes)])
  const deleted = await deleteMissing(request)
  const written = await writeChanged(request, same, contents)
  return { written, deleted }
}

/** Files that neither side did anything to. */
function unchanged({ left, sent, workspace }: MirrorRequest): ReadonlySet<BytePath> {
  const same = new Set<BytePath>()
  // Behind a link that the host has by now in place of a folder there may be the same file; but the folder comes back.
  const folders = new Set<BytePath>([''])
  for (const [path, { kind, untouched }] of left) {
    if (kind === 'link' || !folders.has(path.slice(0, Math.max(0, path.lastIndexOf('/'))))) continue
    // Not asynchronous: for 100,000 files that would take several times as long.
    const existing = lstatIfThere(bytes(workspace, path))
    if (kind === 'folder') {
      if (existing?.isDirectory() === true) folders.add(path)
    } else if (untouched && existing?.isFile() === true && !isChanged(existing, sent.get(path))) same.add(path)
  }
  return same
}

function lstatIfThere(path: Buffer): BigIntStats | undefined {
  try {
    return lstatSync(path, { bigint: true, throwIfNoEntry: false })
  } catch {
    return undefined // Above it is a file by now, say.
  }
}

const isChanged = (host: BigIntStats, sent: SentEntry | undefined): boolean =>
  host.mtimeNs !== sent?.mtimeNs || host.size !== sent.size

async function writeChanged(
  { left, workspace, sent, copy, log }: MirrorRequest,
  same: ReadonlySet<BytePath>,
  contents: (inode: number) => Buffer
): Promise<number> {
  const owner = await lstat(workspace)
  const blocked: BytePath[] = []
  const folders: { readonly path: BytePath; readonly mode: number }[] = []
  /** Where the contents of an inode are in the workspace: its next name is a hard link. */
  const placed = new Map<number, Buffer>()
  let written = 0
  for (const [path, entry] of left) {
    if (same.has(path)) continue
    if (blocked.some(parent => path.startsWith(`${parent}/`))) continue
    const { kind, inode, mode } = entry
    const target = bytes(workspace, path)
    const existing = await lstat(target, { bigint: true }).catch(() => undefined)
    if (kind === 'folder') {
      folders.push({ path, mode })
      if (existing?.isDirectory() === true) {
        await openFolder(target, existing)
        continue
      }
      if (existing !== undefined) await unlink(target)
      await mkdir(target)
    } else if (
      existing !== undefined &&
      (await isSame(entry, placed.get(inode) ?? contents(inode), target, existing))
    ) {
      if (!placed.has(inode)) placed.set(inode, target)
      if (kind === 'link' || BigInt(mode) === (existing.mode & 0o7777n)) continue
      await chmod(target, mode)
      written++
      continue
    } else if (existing !== undefined && entry.untouched && isChanged(existing, sent.get(path))) {
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
      await replace(entry, { linked: placed.get(inode), source: contents(inode), target, copy })
      if (kind === 'file' && !placed.has(inode)) placed.set(inode, target)
    }
    if (isRoot()) await lchown(target, owner.uid, owner.gid)
    // After the owner: a change of owner takes setuid away.
    if (kind === 'file') await chmod(target, mode)
    written++
  }
  // Last, since a folder may be read-only; deepest first, since it may be closed.
  for (const { path, mode } of folders.reverse()) await chmod(bytes(workspace, path), mode)
  return written
}

/** Removes from the workspace what was sent and is not there any more in the guest. */
async function deleteMissing({ left, workspace, sent, log }: MirrorRequest): Promise<number> {
  let deleted = 0
  // Folders come before what they hold, so in reverse they come last.
  for (const [path, entry] of [...sent].reverse()) {
    const now = left.get(path)
    if (now !== undefined && (entry.kind !== 'folder' || now.kind === 'folder')) continue
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
    } else if (isChanged(existing, entry)) {
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

async function isSame(entry: LeftEntry, source: Buffer, target: Buffer, existing: BigIntStats): Promise<boolean> {
  if (entry.kind === 'link') {
    return existing.isSymbolicLink() && entry.target?.equals(await readlink(target, { encoding: 'buffer' })) === true
  }
  if (!existing.isFile() || BigInt(entry.size) !== existing.size) return false
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
async function replace(
  entry: LeftEntry,
  { linked, source, target, copy }: { linked: Buffer | undefined; source: Buffer; target: Buffer; copy: Copy }
): Promise<void> {
  // A name of its own: the target's may be as long as a name can be.
  const folder = target.subarray(0, target.lastIndexOf('/') + 1)
  const beside = Buffer.concat([folder, Buffer.from(`.pi-qemu-${process.pid}`)])
  if (entry.kind === 'link') {
    await symlink(entry.target ?? '', beside)
  } else if (linked !== undefined) {
    await link(linked, beside).catch(() => copy(entry.inode, beside))
  } else {
    const moved = await rename(source, target).then(
      () => true,
      (error: unknown) => {
        if ((error as NodeJS.ErrnoException).code !== 'EXDEV') throw error
        return false
      }
    )
    if (moved) return
    await copy(entry.inode, beside)
  }
  await rename(beside, target)
}
