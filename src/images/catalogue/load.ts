import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../../host/paths'
import { HostFailure, messageOf } from '../../report/errors'
import type { Log } from '../../report/log'
import { fetchText } from '../download'
import { NoCatalogue, readCatalogue } from './read'
import type { Release } from './release'

/** A catalogue that was fetched less than this long (ms) ago is not fetched again. */
const lifetime = 3_600_000

export interface LoadedCatalogue {
  /** None if the catalogue could be had neither from the server nor from the cache. */
  readonly releases: readonly Release[]
  readonly origin: 'server' | 'cache' | 'none'
  /** ms since it was fetched; undefined without one. */
  readonly age: number | undefined
  /** Why it did not come from the server, where it should have. */
  readonly problem: string | undefined
}

/**
 * The catalogue at a URL: from the cache while that is fresh, else from the server, else from the cache however old.
 * @param maxAge of a cached one that is taken without asking the server, in ms
 */
export async function loadCatalogue(
  url: string,
  home: Home,
  log: Log,
  maxAge: number = lifetime
): Promise<LoadedCatalogue> {
  const file = join(home.sources, `catalogue-${createHash('sha256').update(url).digest('hex').slice(0, 16)}.json`)
  const cached = await readCached(file)
  if (cached !== undefined && cached.age >= 0 && cached.age < maxAge) {
    log.info(`Catalogue: ${url}, fetched ${ageText(cached.age)}`)
    return { ...cached, origin: 'cache', problem: undefined }
  }
  try {
    const text = await fetchText(url, log)
    if (text === undefined) throw new NoCatalogue('the server has no such file, or does not hand it out')
    const { releases, leftOut } = readCatalogue(text)
    if (releases.length === 0) throw new NoCatalogue('it lists no image for a Pi')
    const others = Object.entries(leftOut).map(([why, count]) => `${count} ${why}`)
    log.info(`Catalogue: ${url}, ${releases.length} images`)
    if (others.length > 0) log.debug(`Left out of it: ${others.join(', ')}`)
    await keep(file, text)
    return { releases, origin: 'server', age: 0, problem: undefined }
  } catch (error) {
    if (!(error instanceof NoCatalogue || error instanceof HostFailure)) throw error
    const problem =
      error instanceof NoCatalogue ? `${url} is not a catalogue of images: ${error.message}` : messageOf(error)
    if (cached === undefined) return { releases: [], origin: 'none', age: undefined, problem }
    log.warn(`${problem}; the catalogue that was fetched ${ageText(cached.age)} is used`)
    return { ...cached, origin: 'cache', problem }
  }
}

async function readCached(file: string): Promise<{ releases: readonly Release[]; age: number } | undefined> {
  try {
    const { releases } = readCatalogue(await readFile(file, 'utf8'))
    return { releases, age: Date.now() - (await stat(file)).mtimeMs }
  } catch {
    return undefined
  }
}

/** A cache that cannot be written costs time, not the run. */
async function keep(file: string, text: string): Promise<void> {
  const unfinished = `${file}.${randomBytes(4).toString('hex')}`
  try {
    await mkdir(join(file, '..'), { recursive: true })
    await writeFile(unfinished, text)
    await rename(unfinished, file)
  } catch {
    await rm(unfinished, { force: true })
  }
}

/** How long ago, for readers. */
export function ageText(age: number): string {
  const minutes = Math.round(age / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 120) return `${minutes} min ago`
  return minutes < 2880 ? `${Math.round(minutes / 60)} h ago` : `${Math.round(minutes / 1440)} days ago`
}
