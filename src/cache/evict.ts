import { lstat, mkdir, readdir, rename, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Home } from '../host/paths'
import { pathsInUse } from '../journal'
import { messageOf } from '../report/errors'
import { mib, type Log } from '../report/log'

/** Something in a cache of this machine. */
export interface LocalEntry {
  /** What it is, for readers. */
  readonly kind: string
  readonly path: string
  /** What it takes on disk; holes take nothing. */
  readonly bytes: number
  /** ms since 1970. */
  readonly lastUse: number
}

/** The folders of this machine's cache. Each of their entries is made, used and removed as a whole. */
export const localFolders: readonly { readonly kind: string; readonly of: (home: Home) => string }[] = [
  { kind: 'image', of: home => home.images },
  { kind: 'kernel', of: home => home.kernels },
  { kind: 'snapshot', of: home => home.snapshots },
  { kind: 'sysroot', of: home => home.sysroots },
  { kind: 'source', of: home => home.sources }
]

/** What is cached on this machine. */
export async function localEntries(home: Home): Promise<readonly LocalEntry[]> {
  const found: LocalEntry[] = []
  for (const { kind, of } of localFolders) {
    for (const name of (await readdir(of(home)).catch(() => [])).sort()) {
      const path = join(of(home), name)
      const status = await lstat(path).catch(() => undefined)
      if (status !== undefined) found.push({ kind, path, bytes: await allocated(path), lastUse: status.mtimeMs })
    }
  }
  return found
}

/**
 * What has to go so that the rest keeps to a limit: what was not used for the longest time first, and nothing that a
 * living run uses. Pure.
 * @param limit bytes
 */
export function toEvict(
  entries: readonly LocalEntry[],
  limit: number,
  inUse: ReadonlySet<string>
): readonly LocalEntry[] {
  let total = entries.reduce((sum, { bytes }) => sum + bytes, 0)
  const going: LocalEntry[] = []
  for (const entry of [...entries].sort((a, b) => a.lastUse - b.lastUse)) {
    if (total <= limit) break
    if (inUse.has(entry.path) || entry.bytes === 0) continue
    going.push(entry)
    total -= entry.bytes
  }
  return going
}

interface EvictRequest {
  readonly home: Home
  /** Bytes. */
  readonly limit: number
  /** A folder on the same file system, which goes at the end. */
  readonly workDir: string
  readonly log: Log
}

/** Keeps this machine's cache to its limit. Never throws. */
export async function evict({ home, limit, workDir, log }: EvictRequest): Promise<readonly LocalEntry[]> {
  const gone: LocalEntry[] = []
  try {
    const entries = await localEntries(home)
    for (const entry of toEvict(entries, limit, pathsInUse(home.runs)))
      if (await removeEntry(entry, home, workDir)) gone.push(entry)
    if (gone.length > 0) {
      const freed = gone.reduce((sum, { bytes }) => sum + bytes, 0)
      log.info(
        `Evicted from ${home.root} (limit ${mib(limit)}): ${gone.map(({ kind, path }) => `${kind} ${basename(path)}`).join(', ')}; ${mib(freed)} freed`
      )
    }
  } catch (error) {
    log.info(`Nothing more was evicted from ${home.root}: ${messageOf(error)}`)
  }
  return gone
}

/**
 * Removes an entry unless a run uses it. It is set aside first: a run that came between finds it gone, and makes it
 * anew, or was seen in time.
 */
export async function removeEntry({ path }: LocalEntry, home: Home, workDir: string): Promise<boolean> {
  const aside = join(workDir, 'evicted', basename(path))
  await mkdir(join(workDir, 'evicted'), { recursive: true })
  await rename(path, aside)
  if (pathsInUse(home.runs).has(path)) {
    await rename(aside, path).catch(() => undefined)
    return false
  }
  await rm(aside, { recursive: true, force: true })
  return true
}

/** Bytes that a file, or a folder with all it holds, takes on disk. */
async function allocated(path: string): Promise<number> {
  const status = await lstat(path).catch(() => undefined)
  if (status === undefined) return 0
  // st_blocks counts 512 bytes, whatever the file system's own blocks are (stat(2)).
  const own = status.blocks * 512
  if (!status.isDirectory()) return own
  const inner = await readdir(path).catch(() => [])
  const sizes = await Promise.all(inner.map(name => allocated(join(path, name))))
  return sizes.reduce((sum, bytes) => sum + bytes, own)
}
