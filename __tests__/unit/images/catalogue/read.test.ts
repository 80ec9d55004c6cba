import { bits, category, imagerList, raspiosEntry, type ImagerEntry } from '../../../kit/catalogue'
import { NoCatalogue, readCatalogue } from '../../../../src/images/catalogue/read'
import { knownReleases } from '../../../../src/images/catalogue/known'
import type { Release } from '../../../../src/images/catalogue/release'

const lite = raspiosEntry({
  channel: 'raspios_lite_arm64',
  codename: 'trixie',
  date: '2026-06-18',
  directory: '2026-06-19'
})

/** The one release in a list of that entry. */
function only(entry: unknown): Release {
  const { releases } = readCatalogue(imagerList(entry))
  expect(releases).toHaveLength(1)
  return releases[0] as Release
}

test('a release of Raspberry Pi OS, with all that the list says of it', () => {
  expect(only(lite)).toEqual({
    name: 'raspios-lite-arm64',
    pin: '2026-06-18',
    tags: ['2026-06-18', 'trixie', '2026-06-19'],
    date: '2026-06-18',
    version: undefined,
    codename: 'trixie',
    title: 'Raspberry Pi OS',
    architecture: 'arm64',
    url: 'https://downloads.raspberrypi.com/raspios_lite_arm64/images/raspios_lite_arm64-2026-06-19/2026-06-18-raspios-trixie-arm64-lite.img.xz',
    sha256: undefined,
    diskSha256: 'e'.repeat(64),
    downloadSize: 524_875_608,
    diskSize: 2_977_955_840,
    from: 'catalogue'
  })
})

describe('names are made from the address', () => {
  test.each([
    ['raspios_arm64', 'raspios-arm64', 'arm64'],
    ['raspios_lite_armhf', 'raspios-lite-armhf', 'armhf'],
    ['raspios_full_arm64', 'raspios-full-arm64', 'arm64'],
    ['raspios_oldstable_lite_arm64', 'raspios-oldstable-lite-arm64', 'arm64'],
    ['raspios_oldstable_armhf', 'raspios-oldstable-armhf', 'armhf']
  ])("Raspberry Pi's channel %s is %s", (channel, name, architecture) => {
    expect(only(raspiosEntry({ channel, codename: 'bookworm', date: '2026-06-18' }))).toMatchObject({
      name,
      architecture,
      codename: 'bookworm'
    })
  })

  const ubuntu = 'http://cdimage.ubuntu.com/ubuntu'
  test.each<[path: string, list: string, devices: readonly string[], expected: Partial<Release>]>([
    [
      `${ubuntu}/releases/noble/release/ubuntu-24.04.5-preinstalled-server-arm64+raspi.img.xz`,
      'Ubuntu',
      bits[64],
      {
        name: 'ubuntu-arm64',
        version: '24.04.5',
        codename: 'noble',
        tags: ['2026-09-08', '24.04.5', '24.04', '24', 'noble']
      }
    ],
    [
      `${ubuntu}/releases/noble/release/ubuntu-24.04.5-preinstalled-desktop-arm64+raspi.img.xz`,
      'Ubuntu',
      bits[64],
      { name: 'ubuntu-desktop-arm64', version: '24.04.5', codename: 'noble' }
    ],
    [
      `${ubuntu}-core/24/stable/current/ubuntu-core-24-arm64+raspi.img.xz`,
      'Ubuntu',
      bits[64],
      { name: 'ubuntu-core-arm64', version: '24', codename: undefined }
    ],
    [
      'https://dietpi.com/downloads/images/DietPi_RPi234-ARMv8-Trixie.img.xz',
      'DietPi',
      ['pi4-64bit', 'pi3-64bit', 'pi2-64bit'],
      { name: 'dietpi-rpi234-arm64', codename: 'trixie', architecture: 'arm64' }
    ],
    [
      'https://dietpi.com/downloads/images/DietPi_RPi1-ARMv6-Trixie.img.xz',
      'DietPi',
      ['pi1-32bit'],
      { name: 'dietpi-rpi1-armv6-armhf', architecture: 'armhf' }
    ],
    [
      'https://dl.armbian.com/rpi4b/archive/Armbian_26.5.1_Rpi4b_resolute_current_6.18.32_gnome_desktop.img.xz',
      'Armbian OS',
      bits[64],
      { name: 'armbian-rpi4b-current-gnome-desktop-arm64', version: '26.5.1', codename: 'resolute' }
    ],
    [
      'https://dl-cdn.alpinelinux.org/alpine/v3.24/releases/aarch64/alpine-rpi-3.24.1-aarch64.img.gz',
      'Alpine Linux',
      bits[64],
      { name: 'alpine-rpi-arm64', version: '3.24.1' }
    ],
    [
      'https://dl-cdn.alpinelinux.org/alpine/v3.24/releases/armv7/alpine-rpi-3.24.1-armv7.img.gz',
      'Alpine Linux',
      ['pi2-32bit', 'pi3-32bit'],
      { name: 'alpine-rpi-armv7-armhf', architecture: 'armhf' }
    ],
    [
      'https://images.apertis.org/release/v2027dev3/v2027dev3.0/arm64/hmi/apertis_v2027dev3-hmi-arm64-rpi64_v2027dev3.0.img.gz',
      'Apertis (development release)',
      bits[64],
      { name: 'apertis-dev-hmi-rpi64-arm64' }
    ],
    [
      'https://releases.libreelec.tv/LibreELEC-RPi4.aarch64-12.2.1.img.gz',
      'LibreELEC',
      ['pi4-64bit'],
      { name: 'libreelec-rpi4-arm64', version: '12.2.1' }
    ],
    [
      'https://images.fyralabs.com/images/ultramarine/44/xfce-base-disk-aarch64.img.zst',
      'Ultramarine Linux',
      ['pi4-64bit'],
      { name: 'ultramarine-xfce-base-disk-arm64' }
    ],
    [
      'https://repo.pcplayer.org/insitu/piCorePlayer11.1.0/piCorePlayer11.1.0-64Bit.img.xz',
      'piCorePlayer',
      bits[64],
      { name: 'picoreplayer-arm64', version: '11.1.0' }
    ],
    [
      'http://updates.volumio.org/pi/volumio/3.912/Volumio-3.912-2026-02-27-pi.zip',
      'Volumio',
      [...bits[64], ...bits[32]],
      { name: 'volumio-pi-armhf', version: '3.912', architecture: 'armhf' }
    ],
    [
      'https://shs.homeycdn.net/Homey%20Server%20for%20Raspberry%20Pi%20(2025-12-04).zip',
      'Homey Self-Hosted Server',
      bits[64],
      { name: 'homey-server-for-raspberry-pi-arm64' }
    ]
  ])('%s', (url, list, devices, expected) => {
    const entry = { name: 'X', url, devices, release_date: '2026-09-08', image_download_sha256: 'A'.repeat(64) }
    expect(only(category('Other systems', [category(list, [entry])]))).toMatchObject({
      date: '2026-09-08',
      sha256: 'a'.repeat(64),
      ...expected
    })
  })

  test('none of them is one that is built here', () => {
    expect(only({ url: 'https://x.org/debian-arm64.img.xz', release_date: '2026-01-01' }).name).toBe('os-debian-arm64')
  })

  test('two releases of one name and one date are told apart by their versions', () => {
    const version = (number: string): ImagerEntry => ({
      url: `https://x.org/thing-${number}-arm64.img.xz`,
      release_date: '2026-01-01'
    })
    const { releases } = readCatalogue(imagerList(version('1.5'), version('1.4')))
    expect(releases.map(({ name, pin }) => `${name}:${pin}`)).toEqual(['thing-arm64:2026-01-01', 'thing-arm64:1.4'])
  })
})

describe('what cannot be booted, or not be told, is left out and counted', () => {
  test.each<[why: string, entry: unknown]>([
    ['malformed', 'text'],
    ['malformed', null],
    ['malformed', 17],
    ['no image', { name: 'Erase', description: 'Format the card as FAT32', url: 'internal://format' }],
    ['no image', { name: 'nothing' }],
    ['no image', { ...lite, url: '' }],
    ['no image', { ...lite, url: 5 }],
    ['no image', { ...lite, url: 'https://[broken/x.img.xz' }],
    ['no image', { ...lite, url: 'file:///etc/passwd' }],
    ['list elsewhere', { name: 'Bootloader', subitems_url: 'https://downloads.raspberrypi.org/eeprom_recovery.json' }],
    ['no system', { ...lite, url: 'https://github.com/rpi-eeprom/rpi-boot-eeprom-recovery-2711-sd.zip' }],
    ['not for a Pi', { ...lite, devices: ['opi4-64bit'] }],
    ['unknown architecture', { name: 'X', url: 'https://x.org/octopi-klipper.zip' }],
    ['unknown architecture', { name: 'X', url: 'https://x.org/' }]
  ])('%s: %j', (why, entry) => {
    const { releases, leftOut } = readCatalogue(imagerList(entry, lite))
    expect(releases.map(({ name }) => name)).toEqual(['raspios-lite-arm64'])
    expect(leftOut).toEqual({ [why]: 1 })
  })

  test('lists may be empty, nested, and of a device for all that is in them', () => {
    const entry = { name: 'X', url: 'https://x.org/thing.img.xz' }
    const nested = category('A', [category('B', []), category('Thing OS', [entry])], { devices: ['pi2-32bit'] })
    expect(only(nested)).toMatchObject({ name: 'thing-armhf', title: 'X', date: undefined, pin: 'latest' })
  })

  test('an endless nest ends', () => {
    let nest: unknown = lite
    for (let depth = 0; depth < 40; depth++) nest = category(`${depth}`, [nest])
    expect(readCatalogue(imagerList(nest, lite)).releases).toHaveLength(1)
  })

  test('what is logged of an entry is on one line: a line of its own could be a command to the runner', () => {
    expect(only({ ...lite, name: 'Pi\r\n::add-mask::x\u001b[2J' }).title).toBe('Pi ::add-mask::x [2J')
  })

  test('an image that is listed twice is one', () => {
    expect(readCatalogue(imagerList(lite, category('Recommended', [lite]))).releases).toHaveLength(1)
  })

  test('fields that are missing or of the wrong kind are as good as unknown', () => {
    const { url } = lite
    expect(
      only({ url, extract_size: '123', image_download_size: -1, image_download_sha256: 'abc', devices: 'all' })
    ).toMatchObject({
      title: 'raspios-lite-arm64',
      date: '2026-06-18',
      diskSize: 123,
      downloadSize: undefined,
      sha256: undefined,
      diskSha256: undefined
    })
  })
})

describe('a text that is no catalogue is said to be none', () => {
  test.each([
    ['', /not JSON/],
    ['{"os_list": [', /not JSON/],
    ['<!DOCTYPE html><title>Login</title>', /web page/],
    ['[]', /no list `os_list`/],
    ['null', /no list `os_list`/],
    ['{"os_list": {}}', /no list `os_list`/]
  ])('%j', (text, message) => {
    expect(() => readCatalogue(text)).toThrow(NoCatalogue)
    expect(() => readCatalogue(text)).toThrow(message)
  })
})

describe('the committed index', () => {
  test("has addresses of Raspberry Pi's archive, which name what they are", () => {
    for (const { name, date, codename, url, tags } of knownReleases) {
      expect(url).toMatch(
        new RegExp(
          `^https://downloads\\.raspberrypi\\.com/${name.replaceAll('-', '_')}/images/.*/${date}-raspios-${codename}-`
        )
      )
      expect(tags).toContain(codename)
    }
  })

  test('has every release once, and checksums of none', () => {
    const pins = knownReleases.map(({ name, pin }) => `${name}:${pin}`)
    expect(new Set(pins).size).toBe(pins.length)
    expect(knownReleases.some(({ sha256, diskSha256 }) => sha256 !== undefined || diskSha256 !== undefined)).toBe(false)
  })

  test('knows the last bullseye, whose folder is a day younger than its file', () => {
    expect(
      knownReleases.find(({ name, codename }) => name === 'raspios-oldstable-lite-arm64' && codename === 'bullseye')
        ?.url
    ).toBe(
      'https://downloads.raspberrypi.com/raspios_oldstable_lite_arm64/images/raspios_oldstable_lite_arm64-2025-05-07/2025-05-06-raspios-bullseye-arm64-lite.img.xz'
    )
  })
})
