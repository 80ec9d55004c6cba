import { nameOf } from './names'
import type { Release } from './release'
import { trains, type Train } from './trains'

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
