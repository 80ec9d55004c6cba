import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { toCompressed } from '../kit/archives'
import {
  category,
  imagerList,
  raspiosEntry,
  raspiosPath,
  type ImagerEntry,
  type RaspiosRelease
} from '../kit/catalogue'
import { cli } from '../kit/cli'
import { ImageServer, type Route } from '../kit/image-server'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(600_000)

// Dates of a time to come: no index of ours has them.
const trixie = {
  channel: 'raspios_lite_arm64',
  codename: 'trixie',
  date: '2031-02-03',
  directory: '2031-02-04'
} as const
const older = { ...trixie, date: '2031-01-02', directory: '2031-01-02' } as const
const bookworm = { channel: 'raspios_oldstable_lite_arm64', codename: 'bookworm', date: '2031-02-03' } as const
const desktop = { channel: 'raspios_full_arm64', codename: 'trixie', date: '2031-02-03' } as const
const listPath = '/os_list_imagingutility_v4.json'

let server: ImageServer
let scratch: string
let job: RunnerJob
/** The mini image, as the vendor would publish it. */
let image: { readonly file: string; readonly sha256: string; readonly sizes: ImagerEntry }
beforeAll(async () => {
  const disk = await miniImage()
  const file = await toCompressed(disk, 'xz')
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  const sizes = { extract_size: (await stat(disk)).size, image_download_size: (await stat(file)).size }
  image = { file, sha256: hash.digest('hex'), sizes: { ...sizes, extract_sha256: undefined } }
})
beforeEach(async () => {
  server = await ImageServer.start()
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-catalogue-'))
  // A cache of its own: nothing may be known already.
  job = await RunnerJob.create({ home: join(scratch, 'home') })
})
afterEach(async () => {
  const left = await job.dispose()
  await server.close()
  await rm(scratch, { recursive: true, force: true })
  expect(left).toEqual([])
})

/** An entry on our server, and the image behind it. */
function publish(release: RaspiosRelease, entry: ImagerEntry = {}, route: Route = { file: image.file }): ImagerEntry {
  server.serve(raspiosPath(release), route)
  return raspiosEntry(release, { ...image.sizes, ...entry }, server.url)
}

/** Serves a catalogue of the official shape. */
function list(first: unknown, ...others: readonly unknown[]): void {
  const body = imagerList(first, category('Raspberry Pi OS (other)', others), {
    name: 'Bootloader',
    subitems_url: `${server.url}/eeprom_recovery.json`
  })
  server.serve(listPath, { body })
}

/** One step, main and post. */
async function step(
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {}
): Promise<StepResult> {
  const given = { board: 'virt', sync: 'none', 'boot-timeout': '15m', 'catalog-url': server.url + listPath, ...inputs }
  const one = job.step(given, { env })
  const result = await one.main()
  await one.post()
  return result
}

const downloads = (release: RaspiosRelease): number => server.seen(raspiosPath(release)).length

test('by codename, behind redirects; what image-release says boots the same again, without any network; images knows it', async () => {
  const entry = publish(trixie, { image_download_sha256: image.sha256 }, { redirect: '/mirror/lite.img.xz' })
  server.serve('/mirror/lite.img.xz', { file: image.file })
  list(publish(desktop), entry, publish(older), publish(bookworm))
  const moved = server.serve('/latest.json', { redirect: listPath })
  const run = 'grep PRETTY /etc/os-release'

  const first = await step({ image: 'raspios-lite-arm64:trixie', 'catalog-url': moved, run })
  expect([first.code, first.stdout]).toEqual([0, expect.stringContaining('PRETTY_NAME="Mini')])
  expect(first.outputs).toMatchObject({ 'image-release': 'raspios-lite-arm64:2031-02-03', 'cache-hit': 'none' })
  expect(first.log).toContain('raspios-lite-arm64:trixie is raspios-lite-arm64:2031-02-03')
  expect(first.summary).toContain('- **Image:** raspios-lite-arm64:2031-02-03')
  expect(server.seen('/latest.json')[0]?.userAgent).toBe('pi-qemu-action')

  const before = server.requests.length
  const pinned = first.outputs['image-release'] ?? ''
  const second = await step({ image: pinned, 'catalog-url': moved, run })
  expect([second.code, second.outputs]).toEqual([
    0,
    expect.objectContaining({ 'image-release': pinned, 'cache-hit': 'snapshot' })
  ])
  expect(server.requests.slice(before)).toEqual([])

  const home = join(scratch, 'home')
  const newer = { ...trixie, date: '2031-05-06', directory: '2031-05-06' }
  list(publish(desktop), publish(newer), entry)
  const checked = await cli(['images', '--check', '--catalog-url', moved], { home })
  expect([checked.code, checked.stdout]).toEqual([
    0,
    'raspios-lite-arm64:2031-02-03 is prepared; newer: raspios-lite-arm64:2031-05-06 (trixie)\n'
  ])
  const listed = await cli(['images', '--json', '--catalog-url', moved], { home })
  expect(JSON.parse(listed.stdout)).toMatchObject({
    prepared: [{ title: expect.stringContaining('Mini') as unknown, image: pinned }]
  })
  expect((await cli(['images', '--catalog-url', moved], { home })).stdout).toMatch(
    /^raspios-lite-arm64:2031-02-03 +prepared; tags: 2031-02-04; \d+ MiB to download/m
  )
})

// A user that the image does not have ends a run once the image was fetched and looked at.
test.each<[image: string, is: string, from: RaspiosRelease]>([
  ['raspios-lite-arm64', 'raspios-lite-arm64:2031-02-03', trixie],
  ['raspios-lite-arm64:latest', 'raspios-lite-arm64:2031-02-03', trixie],
  ['raspios-lite-arm64:2031-01-02', 'raspios-lite-arm64:2031-01-02', older],
  ['raspios-lite-arm64:bookworm', 'raspios-oldstable-lite-arm64:2031-02-03', bookworm],
  ['raspios-oldstable-lite-arm64', 'raspios-oldstable-lite-arm64:2031-02-03', bookworm]
])('%s is %s, checked by the .sha256 beside it', async (name, is, from) => {
  list(publish(desktop), publish(older), publish(trixie), publish(bookworm))
  const { outputs, log } = await step({ image: name, user: 'alice' })
  expect(outputs).toMatchObject({ outcome: 'bad-input', 'image-release': is })
  expect(log).toMatch(/the image has no such user; valid: root/)
  expect(log).toContain(`SHA-256 ${image.sha256} (from ${server.url}${raspiosPath(from)}.sha256)`)
  expect([trixie, older, bookworm].map(downloads)).toEqual([trixie, older, bookworm].map(one => (one === from ? 1 : 0)))
})

describe('is one clear error', () => {
  const failed = async (
    inputs: Readonly<Record<string, string>>,
    env?: Readonly<Record<string, string>>
  ): Promise<readonly [outcome: string | undefined, log: string]> => {
    const { code, outputs, commands, log } = await step(inputs, env)
    expect([code, commands.filter(({ name }) => name === 'error')]).toEqual([125, [expect.anything()]])
    expect(log).not.toContain('Start QEMU')
    return [outputs['outcome'], log]
  }

  test("an image that does not have the catalogue's checksum", async () => {
    const sum = { image_download_sha256: 'a'.repeat(64) }
    list(publish(trixie, sum, { file: image.file, sha256: 'none' }))
    expect(await failed({ image: 'raspios-lite-arm64' })).toEqual([
      'host-failed',
      expect.stringMatching(
        /checksum of \S+trixie-arm64-lite\.img\.xz is wrong: expected SHA-256 a{64}, got [0-9a-f]{64}/
      )
    ])
    // What was refused is neither kept nor remembered: there is the catalogue, and nothing else.
    const home = join(scratch, 'home')
    expect(await run('find', [home, '-path', '*/images/*', '-o', '-name', 'release-*'])).toBe('')
    expect(await run('find', [home, '-name', 'catalogue-*'])).toMatch(/^\S+\n$/)
  })

  test('a catalogue and a .sha256 file that do not agree, before the download', async () => {
    list(publish(trixie, { image_download_sha256: image.sha256 }, { file: image.file, sha256: 'wrong' }))
    expect(await failed({ image: 'raspios-lite-arm64' })).toEqual([
      'host-failed',
      expect.stringMatching(/there are two checksums for raspios-lite-arm64:2031-02-03/)
    ])
    expect(downloads(trixie)).toBe(0)
  })

  test('an image without a checksum, before the download', async () => {
    list(publish(trixie, {}, { file: image.file, sha256: 'none' }))
    expect(await failed({ image: 'raspios-lite-arm64' })).toEqual([
      'host-failed',
      expect.stringMatching(/is not downloaded, because it could not be verified[\s\S]*image-sha256/)
    ])
    expect(downloads(trixie)).toBe(0)
  })

  test.each([
    [
      'raspios-lite-arm64:trixi',
      /“raspios-lite-arm64:trixi”, but raspios-lite-arm64 has no such tag; valid, the nearest first: trixie, /
    ],
    ['raspios-lite-arm64:2031-02-05', /has no such tag; valid, the nearest first: 2031-02-04, 2031-02-03, /],
    [
      'raspios-lit-arm64',
      /“raspios-lit-arm64”, which is neither a file nor the name of an image; valid names, the nearest first: raspios-lite-arm64, /
    ]
  ])('a name that does not exist, before any work: %s', async (name, message) => {
    list(publish(trixie), publish(bookworm))
    const [outcome, log] = await failed({ image: name })
    expect([outcome, log]).toEqual(['bad-input', expect.stringMatching(message)])
    expect(log).not.toContain('Tools of the host')
  })

  test('no network at all: the index of last-known releases serves, and the image cannot be fetched', async () => {
    await server.close()
    server = await ImageServer.start()
    // Whether or not this machine has a network: a proxy that is not there leads nowhere.
    const env = { HTTPS_PROXY: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' }
    const [outcome, log] = await failed(
      { image: 'raspios-lite-arm64:bookworm', 'catalog-url': 'https://catalogue.invalid/list.json' },
      env
    )
    expect(outcome).toBe('host-failed')
    expect(log).toMatch(/built-in index of last-known releases, which may be old/)
    expect(log).toMatch(
      /raspios-oldstable-lite-arm64:\d{4}-\d\d-\d\d is not prepared here and cannot be fetched: the download of https:\/\/downloads\.raspberrypi\.com\/\S+\.sha256 failed/
    )
    expect(log).toMatch(/the catalogue is out of reach, too[\s\S]*no image is prepared here yet/)
  })

  test('a disk that is too small, before the download', async () => {
    list(publish(desktop, { extract_size: 9_705_619_456, image_download_size: 2_055_350_556 }))
    const small = join(scratch, 'small')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', small])
    try {
      expect(await failed({ image: 'raspios-full-arm64' }, { PI_QEMU_HOME: join(small, 'home') })).toEqual([
        'host-failed',
        expect.stringMatching(
          /disk is too small for raspios-full-arm64:2031-02-03, which takes up to 11216 MiB: \d+ MiB are free[\s\S]*PI_QEMU_HOME/
        )
      ])
      expect(downloads(desktop)).toBe(0)
    } finally {
      await run('umount', [small])
    }
  })
})

test('without the catalogue, the one that was fetched last serves', async () => {
  list(publish(trixie))
  const first = await step({ image: 'raspios-lite-arm64', user: 'alice' })
  expect(first.outputs['image-release']).toBe('raspios-lite-arm64:2031-02-03')
  server.serve(listPath, { status: 404 })
  await run('find', [
    join(scratch, 'home/sources'),
    '-name',
    'catalogue-*',
    '-exec',
    'touch',
    '-d',
    '2 days ago',
    '{}',
    '+'
  ])
  const { outputs, log } = await step({ image: 'raspios-lite-arm64', user: 'alice' })
  expect(outputs['image-release']).toBe('raspios-lite-arm64:2031-02-03')
  expect(log).toMatch(
    /the server has no such file, or does not hand it out; the catalogue that was fetched 2 days ago is used/
  )
})
