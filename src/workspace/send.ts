import type { Left } from './read-back'
import { walk, type BytePath, type Excluded } from './tree'
import type { Manifest, SentEntry } from './volume'

/** What of the host's is to go to a guest that has the rest. */
export interface Outgoing {
  /** Folders before what they hold. */
  readonly send: readonly BytePath[]
  /** What a folder holds before the folder. */
  readonly remove: readonly { readonly path: BytePath; readonly kind: SentEntry['kind'] }[]
  /** Gone on the host, but changed in the guest meanwhile. */
  readonly kept: readonly BytePath[]
}

/** What the host has, folders before what they hold; sockets, pipes and devices do not travel. */
export function onHost(workspace: string, excluded: Excluded): Manifest {
  const all = new Map<BytePath, SentEntry>()
  for (const { path, stat } of walk(workspace, excluded)) {
    const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : undefined
    if (kind === undefined) continue
    all.set(path, { kind, size: stat.size, mtimeNs: stat.mtimeNs, mode: Number(stat.mode) & 0o7777 })
  }
  return all
}

/**
 * What changed on the host since the last exchange.
 * @param now what the host has
 * @param sent what both sides had
 * @param left what the guest has now
 */
export function outgoing(now: Manifest, sent: Manifest, left: Left): Outgoing {
  const send = [...now].flatMap(([path, entry]) => (isChanged(entry, sent.get(path)) ? [path] : []))
  const gone = [...sent].filter(([path, { kind }]) => left.has(path) && now.get(path)?.kind !== kind).reverse()
  const kept = gone.flatMap(([path, { kind }]) =>
    kind !== 'folder' && !now.has(path) && left.get(path)?.untouched !== true ? [path] : []
  )
  const remove = gone.flatMap(([path, { kind }]) => (kept.includes(path) ? [] : [{ path, kind }]))
  return { send, remove, kept }
}

function isChanged(now: SentEntry, sent: SentEntry | undefined): boolean {
  if (sent?.kind !== now.kind || (sent.mode !== now.mode && now.kind !== 'link')) return true
  return now.kind !== 'folder' && (now.mtimeNs !== sent.mtimeNs || now.size !== sent.size)
}
