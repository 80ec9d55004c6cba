import { lstatSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Left } from './read-back'
import { bytes, type BytePath } from './tree'
import type { Manifest, SentEntry } from './volume'

type Row = readonly [
  path: BytePath,
  kind: SentEntry['kind'],
  size: string,
  mtimeNs: string,
  mode: number,
  inode: number | null,
  state: string | null
]

/** Writes down what was handed over, for an exchange by another process. */
export async function writeManifest(file: string, manifest: Manifest): Promise<void> {
  const rows = [...manifest].map(([path, { kind, size, mtimeNs, mode, inode, state }]): Row => [
    ...([path, kind, String(size), String(mtimeNs), mode] as const),
    ...([inode ?? null, state?.toString('base64') ?? null] as const)
  ])
  await writeFile(`${file}.new`, JSON.stringify(rows), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** What {@link writeManifest} wrote. */
export async function readManifest(file: string): Promise<Manifest> {
  const rows = JSON.parse(await readFile(file, 'utf8')) as readonly Row[]
  return new Map(
    rows.map(([path, kind, size, mtimeNs, mode, inode, state]) => [
      path,
      {
        ...{ kind, size: BigInt(size), mtimeNs: BigInt(mtimeNs), mode },
        ...(inode !== null && { inode }),
        ...(state !== null && { state: Buffer.from(state, 'base64') })
      }
    ])
  )
}

/**
 * What both sides have once the guest's changes were brought back: what the host has now, and what is on the volume. What
 * changed on the host meanwhile, and was kept for that, is still to be sent.
 * @param stateOf the inode as it is on the volume
 */
export function broughtManifest(
  left: Left,
  sent: Manifest,
  workspace: string,
  stateOf: (inode: number) => Buffer
): Manifest {
  const now = new Map<BytePath, SentEntry>()
  for (const [path, { kind, inode, untouched }] of left) {
    const stat = lstatSync(bytes(workspace, path), { bigint: true, throwIfNoEntry: false })
    if (stat === undefined) continue
    const before = sent.get(path)
    const isKept = untouched && before !== undefined && (before.mtimeNs !== stat.mtimeNs || before.size !== stat.size)
    now.set(
      path,
      isKept && kind !== 'folder'
        ? before
        : {
            ...{ kind, size: stat.size, mtimeNs: stat.mtimeNs, mode: Number(stat.mode) & 0o7777 },
            ...{ inode, state: stateOf(inode) }
          }
    )
  }
  return now
}
