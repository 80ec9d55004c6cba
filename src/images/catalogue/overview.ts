import { newestFirst, type Dated, type Release } from './release'
import type { PreparedSummary } from './remembered'
import { resolve } from './resolve'

/** A release, and what is to be said of it in a list. */
export interface Listed extends Release {
  /** The tags that mean this release under this name, `latest` among them where it is the one. */
  readonly allTags: readonly string[]
  readonly isPrepared: boolean
}

/** All releases by name, the newest first; the catalogue's rather than the index's where both have it. */
export function overview(
  catalogue: readonly Release[],
  index: readonly Release[],
  prepared: readonly PreparedSummary[]
): ReadonlyMap<string, readonly Listed[]> {
  const listed = new Set(catalogue.map(({ name, pin }) => `${name}:${pin}`))
  const all = [...catalogue, ...index.filter(({ name, pin }) => !listed.has(`${name}:${pin}`))]
  const byName = new Map<string, Listed[]>()
  for (const release of all.sort(byNameAndAge)) {
    const { name, pin } = release
    const meansThis = (tag: string): boolean => resolve({ name, tag }, catalogue, index) === release
    const list = byName.get(name) ?? []
    list.push({
      ...release,
      allTags: [...new Set(['latest', ...release.tags])].filter(meansThis),
      isPrepared: prepared.some(image => image.release?.name === name && image.release.pin === pin)
    })
    byName.set(name, list)
  }
  return byName
}

const byNameAndAge = (a: Release, b: Release): number => a.name.localeCompare(b.name) || newestFirst(a, b)

/** What there is beyond a release that was prepared. */
export interface Update {
  readonly name: string
  readonly prepared: string
  /** Newer releases: the newest of the same codename, and the newest of all. */
  readonly newer: readonly Release[]
}

/** For every name and codename that is prepared: which newer releases exist than the newest one prepared. */
export function updates(prepared: readonly PreparedSummary[], releases: readonly Release[]): readonly Update[] {
  const newest = new Map<string, NonNullable<PreparedSummary['release']>>()
  for (const { release } of prepared) {
    if (release === undefined) continue
    const series = `${release.name} ${release.codename ?? ''}`
    const other = newest.get(series)
    if (other === undefined || isNewer(release, other)) newest.set(series, release)
  }
  return [...newest.values()].map(have => {
    const newer = releases.filter(({ name }) => name === have.name).filter(release => isNewer(release, have))
    const sorted = [...newer].sort(newestFirst)
    const choice = [sorted.find(({ codename }) => codename === have.codename), sorted[0]]
    return {
      name: have.name,
      prepared: have.pin,
      newer: [...new Set(choice)].filter(release => release !== undefined)
    }
  })
}

const isNewer = (a: Dated, b: Dated): boolean => newestFirst(a, b) < 0
