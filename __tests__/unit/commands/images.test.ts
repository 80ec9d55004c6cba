import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imagerList, raspiosEntry } from '../../kit/catalogue'
import { ImageServer } from '../../kit/image-server'
import { imagesCommand } from '../../../src/commands/images'
import { homeFolders, type Home } from '../../../src/host/paths'
import { BadInput } from '../../../src/report/errors'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const release = { channel: 'raspios_lite_arm64', codename: 'trixie', date: '2026-12-24' } as const
let home: Home
let log: RecordedLog
let server: ImageServer
beforeEach(async () => {
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
  server = await ImageServer.start()
  server.serve('/list.json', { body: imagerList(raspiosEntry(release)) })
})
afterEach(() => server.close())

/** What the command prints, and its status. */
async function printed(...args: readonly string[]): Promise<readonly string[]> {
  const lines: string[] = []
  const url = ['--catalog-url', `${server.url}/list.json`]
  const status = await imagesCommand([...url, ...args], { home, log, print: line => lines.push(line) })
  return [...lines, `status ${status}`]
}

function prepare(key: string, meta: unknown): void {
  const folder = join(home.images, key)
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'disk.img'), Buffer.alloc(2 * 1024 * 1024, 1))
  writeFileSync(join(folder, 'meta.json'), JSON.stringify(meta))
}

test('lists what is built here, then every release with its tags and sizes', async () => {
  const lines = await printed()
  expect(lines[0]).toMatch(/^mini-arm64 +built here from Debian packages$/)
  expect(lines).toContainEqual(expect.stringMatching(/^debian-armhf:trixie +built here from Debian packages$/))
  expect(lines).toContainEqual(
    expect.stringMatching(
      /^raspios-lite-arm64:2026-12-24 +tags: latest, trixie; 501 MiB to download; 2840 MiB unpacked$/
    )
  )
  expect(lines).toContainEqual(
    expect.stringMatching(/^raspios-oldstable-lite-arm64:2025-05-06 +tags: bullseye, 2025-05-07; from the archive$/)
  )
  expect(lines.slice(-3)).toEqual([
    `catalogue: ${server.url}/list.json, fetched just now`,
    'nothing is prepared yet',
    'status 0'
  ])
})

test('lists what is prepared, with the room it takes, and leaves out what is not whole', async () => {
  prepare('0123456789abcdef', { title: 'Debian 12', architecture: 'arm64' })
  const made = { name: 'raspios-lite-arm64', pin: '2026-12-24', date: '2026-12-24', codename: 'trixie' }
  prepare('1123456789abcdef', { title: 'Pi OS', architecture: 'arm64', release: made })
  mkdirSync(join(home.images, 'half'))
  const lines = await printed()
  expect(lines.slice(-4)).toEqual([
    `prepared, in ${home.images}:`,
    '  0123456789abcdef  Debian 12, arm64, 2.0 MiB on disk',
    '  1123456789abcdef  Pi OS, arm64, 2.0 MiB on disk, from raspios-lite-arm64:2026-12-24',
    'status 0'
  ])
  expect(lines).toContainEqual(expect.stringMatching(/^raspios-lite-arm64:2026-12-24 +prepared; tags: /))
})

test('--json gives the same to programs', async () => {
  const text = (await printed('--json')).slice(0, -1).join('\n')
  const found = JSON.parse(text) as { images: readonly { name: string; releases: readonly unknown[] }[] }
  expect(found).toMatchObject({
    catalogue: { url: `${server.url}/list.json`, origin: 'server', ageSeconds: 0 },
    builtIn: expect.arrayContaining(['mini-arm64', 'debian-armel:bookworm']) as unknown,
    prepared: []
  })
  expect(found.images.find(({ name }) => name === 'raspios-lite-arm64')?.releases[0]).toEqual({
    image: 'raspios-lite-arm64:2026-12-24',
    tags: ['latest', '2026-12-24', 'trixie'],
    date: '2026-12-24',
    codename: 'trixie',
    title: 'Raspberry Pi OS',
    url: 'https://downloads.raspberrypi.com/raspios_lite_arm64/images/raspios_lite_arm64-2026-12-24/2026-12-24-raspios-trixie-arm64-lite.img.xz',
    from: 'catalogue',
    downloadSize: 524875608,
    diskSize: 2977955840,
    prepared: false
  })
})

describe('--check', () => {
  const made = { name: 'raspios-lite-arm64', pin: '2026-10-06', date: '2026-10-06', codename: 'trixie' }

  test('tells which newer releases there are, by a catalogue of now', async () => {
    prepare('a', { title: 'Pi OS', architecture: 'arm64', release: made })
    await printed()
    expect(await printed('--check')).toEqual([
      'raspios-lite-arm64:2026-10-06 is prepared; newer: raspios-lite-arm64:2026-12-24 (trixie)',
      'status 0'
    ])
    expect(server.seen('/list.json')).toHaveLength(2)
    const { updates } = JSON.parse((await printed('--check', '--json')).slice(0, -1).join('\n')) as { updates: unknown }
    expect(updates).toEqual([{ prepared: 'raspios-lite-arm64:2026-10-06', newer: ['raspios-lite-arm64:2026-12-24'] }])
  })

  test('says so when there are none, and when there is nothing to compare', async () => {
    expect(await printed('--check')).toEqual(['no image of the catalogue is prepared', 'status 0'])
    prepare('a', { title: 'Pi OS', architecture: 'arm64', release: { ...made, pin: '2026-12-24', date: '2026-12-24' } })
    expect(await printed('--check')).toEqual([
      'raspios-lite-arm64:2026-12-24 is prepared; there is no newer release',
      'status 0'
    ])
  })

  test('without a catalogue fails: nothing was checked', async () => {
    server.serve('/list.json', { status: 404 })
    prepare('a', { title: 'Pi OS', architecture: 'arm64', release: made })
    expect(await printed('--check')).toEqual(['the catalogue is out of reach, so nothing was checked', 'status 1'])
    expect(log.of('warn')).toHaveLength(1)
  })
})

test('without a catalogue the index is listed, with a warning', async () => {
  server.serve('/list.json', { status: 404 })
  const lines = await printed()
  expect(lines).toContainEqual(expect.stringMatching(/^raspios-lite-arm64:2026-10-06 +tags: latest, trixie; 525 MiB/))
  expect(lines).toContain(`catalogue: ${server.url}/list.json is out of reach`)
  expect(log.of('warn')).toEqual([expect.stringMatching(/only the built-in index of last-known releases is listed$/)])
})

test.each([
  [['--jsno'], /Unknown option '--jsno'; `pi-qemu images` takes --json, --check, --catalog-url URL/],
  [['all'], /`pi-qemu images` takes/],
  [['--catalog-url', 'ftp://x'], /input `catalog-url` is “ftp:\/\/x”; valid: an http\(s\) URL/]
])('%j is a wrong request', async (args, message) => {
  await expect(printed(...args)).rejects.toThrow(BadInput)
  await expect(printed(...args)).rejects.toThrow(message)
})
