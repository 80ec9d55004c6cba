import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../../host/paths'
import { pinned, type Release } from './release'

/** A release that was used here before, and the checksum that its file was found to have. */
export interface RememberedRelease {
  readonly release: Release
  readonly sha256: string
}

/** Another catalogue may mean another file by the same name. */
const memo = (home: Home, catalogUrl: string, pin: string): string =>
  join(home.sources, `release-${createHash('sha256').update(`${catalogUrl} ${pin}`).digest('hex').slice(0, 32)}.json`)

/** What is remembered under a name with the tag that means one release only. */
export async function recallRelease(
  home: Home,
  catalogUrl: string,
  pin: string
): Promise<RememberedRelease | undefined> {
  try {
    const found = JSON.parse(await readFile(memo(home, catalogUrl, pin), 'utf8')) as Partial<RememberedRelease>
    const { release, sha256 } = found
    const whole = release !== undefined && pinned(release) === pin && /^[0-9a-f]{64}$/.test(sha256 ?? '')
    return whole && sha256 !== undefined ? { release, sha256 } : undefined
  } catch {
    return undefined
  }
}

/** To be called once the file was found to have that checksum. */
export async function rememberRelease(home: Home, catalogUrl: string, remembered: RememberedRelease): Promise<void> {
  // A codename alone means another release tomorrow.
  const { release } = remembered
  if (release.pin !== release.date && release.pin !== release.version) return
  await mkdir(home.sources, { recursive: true })
  await writeFile(memo(home, catalogUrl, pinned(release)), JSON.stringify(remembered))
}

/** A prepared image, as its meta.json says. */
export interface PreparedSummary {
  /** Name of its folder. */
  readonly key: string
  readonly title: string
  readonly architecture: string
  /** Which release it was made from, if it was made from one. */
  readonly release: Pick<Release, 'name' | 'pin' | 'date' | 'version' | 'codename'> | undefined
  /** Bytes on disk. */
  readonly bytes: number
}

/** What is prepared on this host; folders that are not whole are left out. */
export async function listPrepared(home: Home): Promise<readonly PreparedSummary[]> {
  const found: PreparedSummary[] = []
  for (const key of (await readdir(home.images).catch(() => [])).sort()) {
    try {
      const folder = join(home.images, key)
      const meta = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8')) as Omit<
        PreparedSummary,
        'key' | 'bytes'
      >
      const { title, architecture, release } = meta
      // st_blocks counts 512 bytes, whatever the file system's own blocks are (stat(2)).
      const bytes = (await stat(join(folder, 'disk.img'))).blocks * 512
      found.push({ key, title, architecture, release, bytes })
    } catch {
      continue
    }
  }
  return found
}

/** One sentence on which releases can be booted without a network. */
export async function preparedNote(home: Home): Promise<string> {
  const prepared = await listPrepared(home)
  const names = [...new Set(prepared.flatMap(({ release }) => (release === undefined ? [] : [pinned(release)])))]
  const others = prepared.length - prepared.filter(({ release }) => release !== undefined).length
  if (prepared.length === 0) return 'no image is prepared here yet'
  const unnamed = others === 0 ? [] : [`${others} image(s) from files, URLs or packages`]
  return `prepared here: ${[...names, ...unnamed].join(', ')}`
}
