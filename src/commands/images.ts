import { parseArgs } from 'node:util'
import type { Home } from '../host/paths'
import {
  ageText,
  knownReleases,
  listPrepared,
  loadCatalogue,
  overview,
  pinned,
  updates,
  type Listed,
  type LoadedCatalogue,
  type PreparedSummary,
  type Update
} from '../images'
import { builtInImages, parseInputs } from '../inputs'
import { BadInput } from '../report/errors'
import { mib, type Log } from '../report/log'

interface Place {
  readonly home: Home
  readonly print: (line: string) => void
  readonly log: Log
}

interface Findings {
  readonly catalogue: LoadedCatalogue & { readonly url: string }
  readonly releases: ReadonlyMap<string, readonly Listed[]>
  readonly prepared: readonly PreparedSummary[]
  /** Only with `--check`. */
  readonly updates: readonly Update[] | undefined
}

/**
 * `pi-qemu images`: what can be booted by name, and what is prepared. With `--check` also which newer releases there
 * are than those prepared.
 * @returns 1 if that was to be checked and no catalogue could be had
 */
export async function imagesCommand(args: readonly string[], { home, print, log }: Place): Promise<number> {
  const { json, check, url } = flags(args)
  const catalogue = await loadCatalogue(url, home, log, check ? 0 : undefined)
  if (catalogue.origin === 'none')
    log.warn(`${catalogue.problem ?? ''}; only the built-in index of last-known releases is listed`)
  const prepared = await listPrepared(home)
  const findings: Findings = {
    catalogue: { ...catalogue, url },
    releases: overview(catalogue.releases, knownReleases, prepared),
    prepared,
    updates: check ? updates(prepared, catalogue.releases) : undefined
  }
  if (json) print(JSON.stringify(asJson(findings), undefined, 2))
  else for (const line of check ? updateLines(findings) : listLines(findings, home)) print(line)
  return check && catalogue.origin === 'none' ? 1 : 0
}

function flags(args: readonly string[]): { json: boolean; check: boolean; url: string } {
  const options = {
    json: { type: 'boolean' },
    check: { type: 'boolean' },
    'catalog-url': { type: 'string' }
  } as const
  try {
    const { values } = parseArgs({ args: [...args], options, allowPositionals: false })
    const raw = { sync: 'none', 'catalog-url': values['catalog-url'] ?? '' }
    const { catalogUrl } = parseInputs(raw, { env: {}, workspace: process.cwd() })
    return { json: values.json === true, check: values.check === true, url: catalogUrl }
  } catch (error) {
    if (error instanceof BadInput) throw error
    throw new BadInput([
      `${/^[^.]*/.exec((error as Error).message)?.[0] ?? ''}; \`pi-qemu images\` takes --json, --check, --catalog-url URL`
    ])
  }
}

function listLines({ catalogue, releases, prepared }: Findings, home: Home): readonly string[] {
  const { url, origin, age } = catalogue
  const wide = Math.max(...[...builtInImages, ...[...releases.values()].flat().map(pinned)].map(name => name.length))
  return [
    ...builtInImages.map(name => `${name.padEnd(wide)}  built here from Debian packages`),
    ...[...releases.values()].flat().map(release => `${pinned(release).padEnd(wide)}  ${details(release)}`),
    '',
    `catalogue: ${origin === 'none' ? `${url} is out of reach` : `${url}, fetched ${ageText(age ?? 0)}`}`,
    prepared.length === 0 ? 'nothing is prepared yet' : `prepared, in ${home.images}:`,
    ...prepared.map(({ key, title, architecture, bytes, release }) => {
      const from = release === undefined ? '' : `, from ${pinned(release)}`
      return `  ${key}  ${title}, ${architecture}, ${mib(bytes)} on disk${from}`
    })
  ]
}

function details({ allTags, pin, downloadSize, diskSize, from, isPrepared }: Listed): string {
  const tags = allTags.filter(tag => tag !== pin)
  return [
    isPrepared ? 'prepared' : undefined,
    tags.length === 0 ? undefined : `tags: ${tags.join(', ')}`,
    downloadSize === undefined ? undefined : `${mib(downloadSize)} to download`,
    diskSize === undefined ? undefined : `${mib(diskSize)} unpacked`,
    from === 'index' ? 'from the archive' : undefined
  ]
    .filter(part => part !== undefined)
    .join('; ')
}

function updateLines({ updates: found = [], catalogue }: Findings): readonly string[] {
  if (catalogue.origin === 'none') return ['the catalogue is out of reach, so nothing was checked']
  if (found.length === 0) return ['no image of the catalogue is prepared']
  return found.map(({ name, prepared, newer }) => {
    const choice = newer.map(release => `${pinned(release)}${release.codename ? ` (${release.codename})` : ''}`)
    return `${name}:${prepared} is prepared; ${choice.length === 0 ? 'there is no newer release' : `newer: ${choice.join(', ')}`}`
  })
}

/** Sizes in bytes, the age of the catalogue in seconds. */
function asJson({ catalogue, releases, prepared, updates: found }: Findings): unknown {
  const { url, origin, age, problem } = catalogue
  return {
    catalogue: { url, origin, ageSeconds: age === undefined ? undefined : Math.round(age / 1000), problem },
    builtIn: builtInImages,
    images: [...releases].map(([name, list]) => ({
      name,
      architecture: list[0]?.architecture,
      releases: list.map(release => ({
        image: pinned(release),
        tags: release.allTags,
        ...{ date: release.date, version: release.version, codename: release.codename, title: release.title },
        ...{ url: release.url, sha256: release.sha256, from: release.from },
        ...{ downloadSize: release.downloadSize, diskSize: release.diskSize, prepared: release.isPrepared }
      }))
    })),
    prepared: prepared.map(({ release, ...image }) => ({ ...image, image: release && pinned(release) })),
    updates: found?.map(({ name, prepared: have, newer }) => ({
      prepared: `${name}:${have}`,
      newer: newer.map(pinned)
    }))
  }
}
