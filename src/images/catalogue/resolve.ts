import { nearestFirst } from './nearest'
import { newestFirst, type Release } from './release'

/** What the user wrote: `name:tag`. */
export interface Asked {
  readonly name: string
  readonly tag: string
}

/** Nothing of that name, or no such release of it. Both lists have what is nearest to the request first. */
export type Unknown =
  | { readonly kind: 'unknown name'; readonly valid: readonly string[] }
  | { readonly kind: 'unknown tag'; readonly valid: readonly string[] }

/**
 * The release that a name and a tag stand for. The catalogue comes first; the index has the releases that a catalogue
 * does not list any more.
 */
export function resolve(
  asked: Asked,
  catalogue: readonly Release[],
  index: readonly Release[],
  builtIn: readonly string[] = []
): Release | Unknown {
  const found = find(asked, catalogue) ?? find(asked, index)
  if (found !== undefined) return found
  const all = [...catalogue, ...index]
  const related = withOldstable(asked.name, all)
  if (related.length === 0) {
    const names = new Set([...all.map(({ name }) => name), ...builtIn])
    return { kind: 'unknown name', valid: nearestFirst(asked.name, [...names]) }
  }
  const tags = new Set(['latest', ...[...related].sort(newestFirst).flatMap(release => release.tags)])
  return { kind: 'unknown tag', valid: nearestFirst(asked.tag, [...tags]) }
}

function find({ name, tag }: Asked, releases: readonly Release[]): Release | undefined {
  if (tag === 'latest') return [...named(name, releases)].sort(newestFirst)[0]
  const matches = withOldstable(name, releases).filter(({ tags }) => tags.includes(tag))
  // A folder's date may be the date of another release.
  return matches.find(({ pin }) => pin === tag) ?? matches.sort(newestFirst)[0]
}

/** `ubuntu` is the server. */
const named = (name: string, releases: readonly Release[]): readonly Release[] => {
  const own = name.replace(/^ubuntu-server-/, 'ubuntu-')
  return releases.filter(release => release.name === own)
}

/**
 * Releases of a name, and after them those that Raspberry Pi has moved to the channel of its previous release: people
 * say `raspios-lite-arm64:bookworm` whatever the current one is.
 */
function withOldstable(name: string, releases: readonly Release[]): Release[] {
  const old = name.replace(/^raspios-(?!oldstable-)/, 'raspios-oldstable-')
  return [...named(name, releases), ...(old === name ? [] : named(old, releases))]
}
