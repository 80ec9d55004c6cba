import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Home } from '../host/paths'
import type { Journal } from '../journal'
import type { PreparedImage } from './prepared'

/** What a prepared image was made from, beside what it is. */
export interface Provenance {
  /** Key of the image that `prepare` started from. */
  readonly base: string
  /** SHA-256 of the script. */
  readonly script: string
  readonly family: string
}

type Meta = Omit<PreparedImage, 'folder' | 'disk'>

/**
 * A prepared image of this machine's cache, which from now on counts as in use by this run; undefined if it is not
 * there, or not whole.
 */
export async function fromStore(key: string, { home, journal }: StorePlace): Promise<PreparedImage | undefined> {
  const folder = join(home.images, key)
  // First of all: what is in use is not evicted.
  journal.record({ kind: 'uses', path: folder })
  const image = await loadImage(folder)
  if (image !== undefined) await touched(folder)
  return image
}

interface StorePlace {
  readonly home: Home
  readonly journal: Journal
}

/** Notes that an entry of a cache was used now. */
export async function touched(path: string): Promise<void> {
  const now = new Date()
  // Another user's may not be touched.
  await utimes(path, now, now).catch(() => undefined)
}

/** Moves a finished build into the cache. If another run was first, its result is as good as ours. */
export async function keepImage(
  build: string,
  key: string,
  { home, journal }: StorePlace
): Promise<PreparedImage | undefined> {
  if ((await loadImage(build)) === undefined) return undefined
  const folder = join(home.images, key)
  journal.record({ kind: 'uses', path: folder })
  await mkdir(dirname(folder), { recursive: true })
  try {
    await rename(build, folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    if ((await loadImage(folder)) === undefined) {
      await rm(folder, { recursive: true, force: true })
      await rename(build, folder)
    }
  }
  await touched(folder)
  return loadImage(folder)
}

/** The prepared image in a folder; undefined if there is none, or it is not whole. */
export async function loadImage(folder: string): Promise<PreparedImage | undefined> {
  try {
    const meta = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8')) as Meta
    const disk = join(folder, 'disk.img')
    const whole =
      (await stat(disk)).size === meta.diskSize &&
      meta.bootFiles.names.every(name => existsSync(join(folder, 'boot', name)))
    return whole ? { ...meta, folder, disk } : undefined
  } catch {
    return undefined
  }
}

/** What images made by `prepare` on this machine started from. */
export async function provenances(home: Home): Promise<readonly Provenance[]> {
  const found: Provenance[] = []
  for (const key of await readdir(home.images).catch(() => [])) {
    const text = await readFile(join(home.images, key, 'meta.json'), 'utf8').catch(() => '{}')
    try {
      const { provenance } = JSON.parse(text) as Partial<PreparedImage>
      if (provenance !== undefined) found.push(provenance)
    } catch {
      continue
    }
  }
  return found
}
