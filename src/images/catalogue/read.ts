import { nameOf } from './names'
import type { Release } from './release'

/** Why an entry is not among the releases. */
export type LeftOut =
  /** It is not of the form that entries have. */
  | 'malformed'
  /** It has no address of an image. */
  | 'no image'
  /** It restores a boot loader or the like. */
  | 'no system'
  /** It is for another make of board. */
  | 'not for a Pi'
  /** Neither its address nor its devices tell an Arm architecture. */
  | 'unknown architecture'
  /** It is a list at another address (`subitems_url`), which is not followed. */
  | 'list elsewhere'
  /** Every tag of it means another release already. */
  | 'no tag of its own'

export interface Catalogue {
  readonly releases: readonly Release[]
  readonly leftOut: Readonly<Partial<Record<LeftOut, number>>>
}

/** The text is no catalogue at all. */
export class NoCatalogue extends Error {}

/** Deeper lists than this are a mistake, or malice. */
const maxDepth = 16

interface Entry {
  readonly value: unknown
  /** Of the lists around it. */
  readonly devices: readonly string[]
  readonly lists: readonly string[]
}

/**
 * Reads a list of images in the form of Raspberry Pi's imager (`doc/json-schema/os-list-schema.json` in
 * raspberrypi/rpi-imager). Fields that are not known are passed over; an entry that lacks what we need is left out and
 * counted; a list at another address is not followed.
 * @throws NoCatalogue if it is not JSON, or has no `os_list`
 */
export function readCatalogue(text: string): Catalogue {
  const list = osList(text)
  const leftOut: Partial<Record<LeftOut, number>> = {}
  const releases: Release[] = []
  const taken = new Map<string, string>()
  for (const entry of entriesOf(list)) {
    const release = read(entry)
    if (typeof release === 'string') {
      leftOut[release] = (leftOut[release] ?? 0) + 1
      continue
    }
    // Imager shows some images in several places.
    if (releases.some(other => other.url === release.url)) continue
    const pin = release.tags.find(tag => !taken.has(`${release.name}:${tag}`))
    if (pin === undefined) {
      leftOut['no tag of its own'] = (leftOut['no tag of its own'] ?? 0) + 1
      continue
    }
    taken.set(`${release.name}:${pin}`, release.url)
    releases.push({ ...release, pin, tags: [pin, ...release.tags.filter(tag => tag !== pin)] })
  }
  return { releases, leftOut }
}

function osList(text: string): readonly unknown[] {
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (error) {
    const page = /^\s*<(!doctype|html|\?xml)/i.test(text)
    throw new NoCatalogue(page ? 'it is a web page' : `it is not JSON (${string((error as Error).message) ?? ''})`)
  }
  const list = fields(parsed)['os_list']
  if (!Array.isArray(list)) throw new NoCatalogue('it has no list `os_list`')
  return list
}

/** The leaves of the tree of lists, in the order in which they are listed. */
function* entriesOf(
  list: readonly unknown[],
  devices: readonly string[] = [],
  lists: readonly string[] = []
): Generator<Entry> {
  if (lists.length > maxDepth) return
  for (const value of list) {
    const { subitems, name, devices: own } = fields(value)
    const these = strings(own) ?? devices
    if (!Array.isArray(subitems)) yield { value, devices: these, lists }
    else yield* entriesOf(subitems, these, [...lists, string(name) ?? ''])
  }
}

/** A release whose tags may mean others as well, or why there is none. */
function read({ value, devices, lists }: Entry): Release | LeftOut {
  if (typeof value !== 'object' || value === null) return 'malformed'
  const entry = fields(value)
  const address = string(entry['url'])
  if (address === undefined) return entry['subitems_url'] === undefined ? 'no image' : 'list elsewhere'
  // Imager's own commands are `internal://…`.
  if (!/^https?:\/\//i.test(address) || !URL.canParse(address)) return 'no image'
  const url = new URL(address).href
  if (/eeprom/i.test(url)) return 'no system'
  if (devices.length > 0 && !devices.some(device => /^pi\d/.test(device))) return 'not for a Pi'
  const named = nameOf(url, { devices, lists })
  if (named === undefined) return 'unknown architecture'
  const { name, architecture, codename, version, dates } = named
  const date = dateOf(entry['release_date']) ?? dates[0]
  const tags = [date, ...versionTags(version), codename, ...dates].filter(tag => tag !== undefined)
  return {
    ...{ name, architecture, codename, version, date, url },
    pin: '',
    // Without a date, a version or a codename there is nothing to tell it from the next one.
    tags: tags.length === 0 ? ['latest'] : [...new Set(tags)],
    title: string(entry['name']) ?? name,
    sha256: sum(entry['image_download_sha256']),
    diskSha256: sum(entry['extract_sha256']),
    downloadSize: bytes(entry['image_download_size']),
    diskSize: bytes(entry['extract_size']),
    from: 'catalogue'
  }
}

/** `24.04.3` is also `24.04` and `24`. */
export function versionTags(version: string | undefined): readonly string[] {
  const parts = version?.split('.') ?? []
  return parts.map((_, dropped) => parts.slice(0, parts.length - dropped).join('.'))
}

const fields = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

/** On one line: what is logged must not begin a line, where a runner looks for its commands. */
function string(value: unknown): string | undefined {
  const text = typeof value === 'string' ? value.replace(/[\s\p{Cc}]+/gu, ' ').trim() : ''
  return text === '' ? undefined : text
}

const strings = (value: unknown): readonly string[] | undefined =>
  Array.isArray(value) ? value.filter(item => typeof item === 'string') : undefined

/** Some lists give numbers as text. */
function bytes(value: unknown): number | undefined {
  const count = typeof value === 'string' && /^\d+$/.test(value) ? Number(value) : value
  return typeof count === 'number' && Number.isSafeInteger(count) && count > 0 ? count : undefined
}

const sum = (value: unknown): string | undefined => /^[0-9a-f]{64}$/.exec((string(value) ?? '').toLowerCase())?.[0]

const dateOf = (value: unknown): string | undefined => /^\d{4}-\d\d-\d\d/.exec(string(value) ?? '')?.[0]
