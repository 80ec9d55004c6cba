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
import type { Manifest } from './volume'

export interface MirrorRequest {
  /** What the guest left, on the host; taken apart by this. */
  readonly from: string
  readonly workspace: string
  /** What was sent; only that can have been deleted in the guest. */
  readonly sent: Manifest
  readonly excluded: Excluded
  readonly log: Log
}

export interface MirrorResult {
  readonly written: number
  readonly deleted: number
}

/**
 * Makes the workspace what the guest left: new and changed files, modes, links, deletions. What was never sent, and
 * what changed on the host meanwhile while the guest left it alone, stays. Links are never followed.
 */
export async function mirror({ from, workspace, sent, excluded, log }: MirrorRequest): Promise<MirrorResult> {
  const owner = await lstat(workspace)
  const present = new Set<BytePath>()
  let written = 0
  const folders: { readonly path: BytePath; readonly mode: number }[] = []
  for await (const { path, stat } of walk(from, excluded)) {
    present.add(path)
    const target = bytes(workspace, path)
    const existing = await lstat(target, { bigint: true }).catch(() => undefined)
    if (stat.isDirectory()) {
      if (existing?.isDirectory() !== true) {
        if (existing !== undefined) await unlink(target)
        await mkdir(target)
        if (isRoot()) await lchown(target, owner.uid, owner.gid)
        written++
      }
      folders.push({ path, mode: Number(stat.mode) & 0o7777 })
      continue
    }
    const source = bytes(from, path)
    if (existing !== undefined && (await isSame(source, stat, target, existing))) {
      if (stat.isFile() && (stat.mode & 0o7777n) !== (existing.mode & 0o7777n)) {
        await chmod(target, Number(stat.mode) & 0o7777)
        written++
      }
      continue
    }
    if (existing !== undefined && changedOnlyHere(stat, existing, sent.get(path))) {
      log.warn(`${path} changed on the host while the script ran, and not in the guest: kept`)
      continue
    }
    if (existing?.isDirectory() === true) await rm(target, { recursive: true })
    await move(source, target)
    if (isRoot()) await lchown(target, owner.uid, owner.gid)
    if (stat.isFile()) await chmod(target, Number(stat.mode) & 0o7777)
    written++
  }
  const deleted = await deleteMissing(workspace, sent, present, log)
  // Last, since a folder may be read-only; deepest first, since it may be closed.
  for (const { path, mode } of folders.reverse()) await chmod(bytes(workspace, path), mode)
  return { written, deleted }
}

async function deleteMissing(
  workspace: string,
  sent: Manifest,
  present: ReadonlySet<BytePath>,
  log: Log
): Promise<number> {
  let deleted = 0
  for (const [path, entry] of [...sent].reverse()) {
    if (present.has(path)) continue
    const target = bytes(workspace, path)
    const existing = await lstat(target, { bigint: true }).catch(() => undefined)
    if (existing === undefined) continue
    if (entry.kind === 'folder') {
      // Something of the host's own may be in it.
      if (existing.isDirectory())
        deleted += await rmdir(target).then(
          () => 1,
          () => 0
        )
    } else if (existing.size !== entry.size || existing.mtimeNs !== entry.mtimeNs) {
      log.warn(`${path} was deleted in the guest, but changed on the host meanwhile: kept`)
    } else {
      await unlink(target)
      deleted++
    }
  }
  return deleted
}

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
    const beside = Buffer.concat([target, Buffer.from('.pi-qemu-partial')])
    await copyFile(source, beside)
    await utimes(beside, stat.atime, stat.mtime)
    await rename(beside, target)
  }
}
