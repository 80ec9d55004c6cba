import type { Home } from '../../host/paths'
import { builtInImages, type ImageRef } from '../../inputs'
import { BadInput, HostFailure } from '../../report/errors'
import { mib, type Log } from '../../report/log'
import { knownReleases } from './known'
import { ageText, loadCatalogue, type LoadedCatalogue } from './load'
import { pinned, type Release } from './release'
import { preparedNote, recallRelease } from './remembered'
import { resolve, type Asked, type Unknown } from './resolve'

export { knownReleases } from './known'
export { ageText, loadCatalogue, type LoadedCatalogue } from './load'
export { overview, updates, type Listed, type Update } from './overview'
export { pinned, type Release } from './release'
export { listPrepared, rememberRelease, type PreparedSummary } from './remembered'
export { releaseSource } from './source'

/** What the name of an image stands for in this run. */
export interface ResolvedRelease {
  readonly release: Release
  readonly catalogUrl: string
  /** Checksum that this release was found to have before, where the user asked for this very release. */
  readonly sha256: string | undefined
  /** Why there is no catalogue, if there is none. */
  readonly problem: string | undefined
}

interface Place {
  readonly home: Home
  readonly log: Log
}

/**
 * Looks a name up. A release that was used here before and is asked for by its date needs no catalogue.
 * @throws BadInput if there is no such name or tag
 * @throws HostFailure if that cannot be told, because the catalogue is out of reach
 */
export async function resolveRelease(
  asked: Extract<ImageRef, { kind: 'catalogue' }>,
  catalogUrl: string,
  { home, log }: Place
): Promise<ResolvedRelease> {
  const text = `${asked.name}:${asked.tag}`
  const known = await recallRelease(home, catalogUrl, text)
  if (known !== undefined) {
    log.info(`${text} was used here before: ${known.release.url}, SHA-256 ${known.sha256}`)
    return { ...known, catalogUrl, problem: undefined }
  }
  const catalogue = await loadCatalogue(catalogUrl, home, log)
  const { problem } = catalogue
  if (catalogue.origin === 'none')
    log.warn(`${problem ?? ''}; names are looked up in the built-in index of last-known releases, which may be old`)
  const found = resolve(asked, catalogue.releases, knownReleases, builtInImages)
  if ('kind' in found) throw await notFound(asked, found, catalogue, home)
  const about = [found.title, found.from === 'index' ? 'from the built-in index' : undefined]
  const size = found.downloadSize === undefined ? undefined : `${mib(found.downloadSize)} to download`
  log.info(`${text} is ${pinned(found)} (${[...about, size].filter(part => part !== undefined).join(', ')})`)
  return { release: found, catalogUrl, sha256: undefined, problem: catalogue.origin === 'none' ? problem : undefined }
}

/** So many valid names are in a message; there may be hundreds. */
const shownNames = 12

async function notFound({ name, tag }: Asked, unknown: Unknown, from: LoadedCatalogue, home: Home): Promise<Error> {
  const shown = unknown.valid.slice(0, shownNames)
  const more = unknown.valid.length - shown.length
  const valid = `${shown.join(', ')}${more > 0 ? ` and ${more} more (see \`pi-qemu images\`)` : ''}`
  const fault =
    unknown.kind === 'unknown name'
      ? `input \`image\` is “${name}”, which is neither a file nor the name of an image; valid names, the nearest first: ${valid}`
      : `input \`image\` is “${name}:${tag}”, but ${name} has no such tag; valid, the nearest first: ${valid}`
  if (from.origin === 'none') {
    return new HostFailure({
      symptom: `${name}:${tag} is not in the built-in index of releases, and the catalogue cannot be read: ${from.problem ?? ''}`,
      cause: `this host is offline, or the name is wrong; the index has: ${valid}`,
      remedy: `check the network and \`catalog-url\`; without a network, use what is there: ${await preparedNote(home)}`
    })
  }
  const old =
    from.problem === undefined || from.age === undefined ? '' : ` (by the catalogue fetched ${ageText(from.age)})`
  return new BadInput([fault + old])
}
