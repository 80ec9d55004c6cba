/** An entry of a list in the form of Raspberry Pi's imager; fields may be missing or of the wrong kind. */
export type ImagerEntry = Readonly<Record<string, unknown>>

export const bits = {
  64: ['pi5-64bit', 'pi4-64bit', 'pi3-64bit'],
  32: ['pi5-32bit', 'pi4-32bit', 'pi3-32bit', 'pi2-32bit', 'pi1-32bit']
} as const

/** A release of Raspberry Pi OS as the official list has it: without a checksum of the download. */
export interface RaspiosRelease {
  readonly channel: string
  readonly codename: string
  /** Of the file. */
  readonly date: string
  /** Of the folder; by default the same. */
  readonly directory?: string
}

/** The path of a release in Raspberry Pi's archive. */
export function raspiosPath({ channel, codename, date, directory = date }: RaspiosRelease): string {
  const architecture = channel.endsWith('arm64') ? 'arm64' : 'armhf'
  const kind = /_(lite|full)_/.exec(channel)?.[1]
  const file = `${date}-raspios-${codename}-${architecture}${kind === undefined ? '' : `-${kind}`}.img.xz`
  return `/${channel}/images/${channel}-${directory}/${file}`
}

/** Its entry, on a server of ours or on the real one. */
export function raspiosEntry(
  release: RaspiosRelease,
  changes: ImagerEntry = {},
  server = 'https://downloads.raspberrypi.com'
): ImagerEntry {
  return {
    name: 'Raspberry Pi OS',
    description: `A port of Debian ${release.codename}`,
    icon: '',
    url: server + raspiosPath(release),
    extract_size: 2_977_955_840,
    extract_sha256: 'e'.repeat(64),
    image_download_size: 524_875_608,
    release_date: release.date,
    init_format: 'cloudinit-rpi',
    devices: bits[release.channel.endsWith('arm64') ? 64 : 32],
    capabilities: ['rpi_connect'],
    ...changes
  }
}

/** A list inside the list. */
export const category = (name: string, subitems: readonly unknown[], more: ImagerEntry = {}): ImagerEntry => ({
  ...{ name, description: name, icon: 'icons/cat.png', random: false, subitems },
  ...more
})

/** The whole file, as text. */
export function imagerList(...entries: readonly unknown[]): string {
  const devices = [
    { name: 'Raspberry Pi 4', tags: ['pi4-64bit', 'pi4-32bit'], matching_type: 'inclusive', capabilities: [] },
    { name: 'No filtering', tags: [], matching_type: 'inclusive', capabilities: [] }
  ]
  return JSON.stringify({ imager: { latest_version: '2.0.11.1', url: '', devices }, os_list: entries })
}
