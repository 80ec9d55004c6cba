import { nameOf } from './names'
import type { Release } from './release'

/** Releases of one day, in Raspberry Pi's archive. */
interface Train {
  /** In the names of the files. */
  readonly date: string
  /** In the names of the folders; by default the same. */
  readonly directory?: string
  readonly codename: string
  readonly channels: readonly string[]
}

const all = (codename: 'stable' | 'oldstable'): readonly string[] =>
  ['', '_lite', '_full'].flatMap(kind =>
    ['arm64', 'armhf'].map(word => `raspios${codename === 'stable' ? '' : '_oldstable'}${kind}_${word}`)
  )

/**
 * Releases of Raspberry Pi OS that are known to be in the archive, for when the catalogue cannot be reached, and for
 * dates that it does not list any more. There are no checksums here: they come from the `.sha256` beside each file. The
 * archive has more than these.
 */
const trains: readonly Train[] = [
  { date: '2026-10-06', codename: 'trixie', channels: ['raspios_lite_arm64'] },
  { date: '2026-10-06', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2026-09-15', codename: 'trixie', channels: ['raspios_arm64', 'raspios_lite_arm64', 'raspios_lite_armhf'] },
  { date: '2026-09-15', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2026-06-18', directory: '2026-06-19', codename: 'trixie', channels: all('stable') },
  { date: '2026-06-18', directory: '2026-06-19', codename: 'bookworm', channels: all('oldstable') },
  { date: '2026-04-21', codename: 'trixie', channels: ['raspios_lite_arm64', 'raspios_lite_armhf'] },
  { date: '2026-04-13', directory: '2026-04-14', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2025-12-04',
    codename: 'trixie',
    channels: ['raspios_full_arm64', 'raspios_lite_arm64', 'raspios_lite_armhf']
  },
  { date: '2025-11-24', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2025-10-01',
    directory: '2025-10-02',
    codename: 'trixie',
    channels: ['raspios_full_arm64', 'raspios_lite_arm64']
  },
  { date: '2025-10-01', directory: '2025-10-02', codename: 'bookworm', channels: ['raspios_oldstable_lite_arm64'] },
  {
    date: '2025-05-13',
    codename: 'bookworm',
    channels: ['raspios_full_arm64', 'raspios_lite_arm64', 'raspios_lite_armhf']
  },
  {
    date: '2025-05-06',
    directory: '2025-05-07',
    codename: 'bullseye',
    channels: ['raspios_oldstable_arm64', 'raspios_oldstable_lite_arm64', 'raspios_oldstable_lite_armhf']
  },
  { date: '2024-11-19', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2024-10-22', directory: '2024-10-28', codename: 'bullseye', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2024-07-04', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  {
    date: '2024-07-04',
    codename: 'bullseye',
    channels: ['raspios_oldstable_lite_arm64', 'raspios_oldstable_lite_armhf']
  },
  { date: '2024-03-15', codename: 'bookworm', channels: ['raspios_lite_arm64', 'raspios_lite_armhf'] },
  { date: '2024-03-12', codename: 'bullseye', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2023-12-11', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2023-12-05', directory: '2023-12-06', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2023-12-05', directory: '2023-12-06', codename: 'bullseye', channels: ['raspios_oldstable_lite_arm64'] },
  { date: '2023-10-10', codename: 'bookworm', channels: ['raspios_lite_arm64'] },
  { date: '2023-05-03', codename: 'bullseye', channels: ['raspios_lite_arm64'] },
  { date: '2023-02-21', directory: '2023-02-22', codename: 'bullseye', channels: ['raspios_lite_arm64'] }
]

/** Sizes in bytes, where they are known: of the file, and of the disk in it. */
const sizes: Readonly<Record<string, readonly [download: number, disk: number]>> = {
  'raspios-lite-arm64:2026-10-06': [550_466_056, 3_078_619_136]
}

/** Address of a file in Raspberry Pi's archive. */
function archived(channel: string, { date, directory = date, codename }: Train): string {
  const [, kind = '', architecture = ''] = /^raspios(?:_oldstable)?(_lite|_full)?_(arm64|armhf)$/.exec(channel) ?? []
  const file = `${date}-raspios-${codename}-${architecture}${kind.replace('_', '-')}.img.xz`
  return `https://downloads.raspberrypi.com/${channel}/images/${channel}-${directory}/${file}`
}

/** The committed index of last-known releases. */
export const knownReleases: readonly Release[] = trains.flatMap(train =>
  train.channels.map((channel): Release => {
    const url = archived(channel, train)
    const { date, codename } = train
    const { name = '', architecture = 'arm64', dates = [] } = nameOf(url, { devices: [], lists: [] }) ?? {}
    const [downloadSize, diskSize] = sizes[`${name}:${date}`] ?? []
    return {
      ...{ name, architecture, date, codename, url, downloadSize, diskSize },
      ...{ pin: date, version: undefined, sha256: undefined, diskSha256: undefined, from: 'index' },
      tags: [...new Set([date, codename, ...dates])],
      title: `Raspberry Pi OS (${codename}, ${date})`
    }
  })
)
