import { trains, type Train } from '../src/images/catalogue/trains'
import type { Release } from '../src/images/catalogue/release'

/** Raspberry Pi OS in its own archive: channel, date of the folder, date of the file, codename. */
const archived =
  /^https:\/\/downloads\.raspberrypi\.com\/(raspios[a-z_]*_(?:arm64|armhf))\/images\/\1-(\d{4}-\d\d-\d\d)\/(\d{4}-\d\d-\d\d)-raspios-([a-z]+)-/

const identity = ({ date, directory = date, codename }: Train): string => [date, directory, codename].join(' ')

/** What is known, with what a catalogue has besides; the newest first. What the catalogue has dropped stays: the archive has it. */
export function withReleases(known: readonly Train[], releases: readonly Pick<Release, 'url'>[]): readonly Train[] {
  const merged = new Map(known.map(train => [identity(train), train]))
  for (const { url } of releases) {
    const [, channel, directory, date, codename] = archived.exec(url) ?? []
    if (channel === undefined || directory === undefined || date === undefined || codename === undefined) continue
    const found: Train = { date, ...(directory !== date && { directory }), codename, channels: [channel] }
    const before = merged.get(identity(found))
    const channels = new Set([...(before?.channels ?? []), channel])
    merged.set(identity(found), { ...found, channels: [...channels].sort() })
  }
  // Of one day, the current release of Debian before the one before it.
  const order = (a: Train, b: Train): number => compare(b.date, a.date) || Number(isOld(a)) - Number(isOld(b))
  return [...merged.values()].sort(order)
}

const isOld = ({ channels }: Train): boolean => channels.some(channel => channel.includes('_oldstable'))
const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** The text of `src/images/catalogue/trains.ts` with other rows, still to be formatted. */
export function renderTrains(rows: readonly Train[], current: string): string {
  const start = 'export const trains: readonly Train[] = '
  return `${current.slice(0, current.indexOf(start))}${start}${JSON.stringify(rows)}\n`
}

export { trains as committedTrains }
