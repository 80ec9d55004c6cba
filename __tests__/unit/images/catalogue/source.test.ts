import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { imagerList, raspiosEntry, raspiosPath, type ImagerEntry } from '../../../kit/catalogue'
import { ImageServer, type Route } from '../../../kit/image-server'
import { homeFolders, type Home } from '../../../../src/host/paths'
import { releaseSource, rememberRelease, resolveRelease, type ResolvedRelease } from '../../../../src/images/catalogue'
import type { Source } from '../../../../src/images/source'
import { BadInput, describeFailure, HostFailure } from '../../../../src/report/errors'
import { RecordedLog } from '../../recorded-log'
import { scratchFolder } from '../../scratch'

jest.mock('node:timers/promises', () => {
  const timers = jest.requireActual<typeof import('node:timers/promises')>('node:timers/promises')
  return { ...timers, setTimeout: (ms: number, value: unknown) => timers.setTimeout(ms / 500, value) }
})

const scratch = scratchFolder()
const sum = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const disk = Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa]), randomBytes(60_000), Buffer.alloc(200_000)])
const archive = gzipSync(disk)
const wrong = '0'.repeat(64)

const release = { channel: 'raspios_lite_arm64', codename: 'trixie', date: '2026-11-09' } as const
const path = raspiosPath(release)
const name = 'raspios-lite-arm64:2026-11-09'

let home: Home
let log: RecordedLog
let server: ImageServer
beforeEach(async () => {
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
  server = await ImageServer.start()
})
afterEach(() => server.close())

const catalogUrl = (): string => `${server.url}/list.json`
const sizes = { extract_size: disk.length, image_download_size: archive.length, extract_sha256: undefined }

/** Serves a catalogue with one release, and its image. */
function publish(entry: ImagerEntry, image: Route = { body: archive }): void {
  server.serve('/list.json', { body: imagerList(raspiosEntry(release, { ...sizes, ...entry }, server.url)) })
  server.serve(path, image)
}

const resolved = (tag = 'trixie', asked = 'raspios-lite-arm64'): Promise<ResolvedRelease> =>
  resolveRelease({ kind: 'catalogue', name: asked, tag }, catalogUrl(), { home, log })
const open = async (tag?: string): Promise<Source> => releaseSource(await resolved(tag), home, log)

async function fetched(source: Source): Promise<readonly [string, boolean]> {
  const folder = scratch.fresh()
  const target = join(folder, 'disk.img')
  const sha256 = await source.unpackTo(target, folder)
  return [sha256, readFileSync(target).equals(disk)]
}

const complaint = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no complaint',
    (error: unknown) =>
      `${error instanceof BadInput ? 'bad input: ' : error instanceof HostFailure ? '' : 'unexpected: '}${describeFailure(error)}`
  )

describe('what vouches for a release', () => {
  test("is the catalogue's checksum; the one beside the image has to agree", async () => {
    publish({ image_download_sha256: sum(archive) })
    const source = await open()
    expect(source.sha256).toBe(sum(archive))
    expect(server.seen(path)).toEqual([])
    expect(await fetched(source)).toEqual([sum(archive), true])
    expect(server.seen(`${path}.sha256`)).toHaveLength(1)
  })

  test('is the one beside the image, where the catalogue has none', async () => {
    publish({})
    const source = await open()
    expect(source.sha256).toBe(sum(archive))
    expect(await fetched(source)).toEqual([sum(archive), true])
    expect(log.of('info')).toContainEqual(
      expect.stringMatching(/^SHA-256 [0-9a-f]{64} \(from http.*\.img\.xz\.sha256\)$/)
    )
  })

  test('is the checksum of the disk, where there is no other', async () => {
    publish({ extract_sha256: sum(disk) }, { body: archive, sha256: 'none' })
    const source = await open()
    expect(source.sha256).toBeUndefined()
    expect(await fetched(source)).toEqual([sum(archive), true])
    expect(log.of('info')).toContain(`SHA-256 of the unpacked disk: ${sum(disk)} (from the catalogue)`)
  })

  test.each<[string, ImagerEntry, Route, RegExp]>([
    [
      'an image that does not have the checksum of the catalogue',
      { image_download_sha256: wrong },
      { body: archive, sha256: 'none' },
      /^the checksum of \S+\.img\.xz is wrong: expected SHA-256 0{64}, got /
    ],
    [
      'two checksums that differ',
      { image_download_sha256: sum(archive) },
      { body: archive, sha256: 'wrong' },
      /^there are two checksums for raspios-lite-arm64:2026-11-09: SHA-256 [0-9a-f]{64} in the catalogue, 0{64} in \S+\.sha256\n/
    ],
    [
      'an image that does not have the checksum beside it',
      {},
      { body: archive, sha256: 'wrong' },
      /^the checksum of \S+\.img\.xz is wrong: expected SHA-256 0{64}, got /
    ],
    [
      'a disk that does not have its checksum',
      { extract_sha256: wrong },
      { body: archive, sha256: 'none' },
      /^the checksum of the disk in \S+\.img\.xz is wrong: expected SHA-256 0{64}, got /
    ],
    [
      'an image without any checksum',
      {},
      { body: archive, sha256: 'none' },
      /^raspios-lite-arm64:2026-11-09 is not downloaded, because it could not be verified: neither the catalogue nor \S+\.sha256 has/
    ]
  ])('refuses %s', async (_, entry, image, message) => {
    publish(entry, image)
    expect(await complaint(open().then(fetched))).toMatch(message)
  })

  test('is not waited for, when there is one and the other cannot be had just now', async () => {
    publish({ image_download_sha256: sum(archive) })
    server.serve(`${path}.sha256`, { status: 503 })
    expect(await fetched(await open())).toEqual([sum(archive), true])
    expect(log.of('info')).toContainEqual(expect.stringMatching(/could not be compared with .*the server answered 503/))
  })
})

test('a release and its image are found behind redirects', async () => {
  publish({ image_download_sha256: sum(archive) })
  server.serve(path, { redirect: '/mirror/image' })
  server.serve('/mirror/image', { body: archive })
  expect(await fetched(await open())).toEqual([sum(archive), true])
})

describe('a release that was used before', () => {
  const use = async (tag?: string): Promise<void> => {
    const found = await resolved(tag)
    await rememberRelease(home, catalogUrl(), { release: found.release, sha256: sum(archive) })
  }

  test('and is asked for by its date needs no network', async () => {
    publish({})
    await use()
    const before = server.requests.length
    const again = await resolved('2026-11-09')
    expect([again.sha256, again.release.url]).toEqual([
      sum(archive),
      expect.stringMatching(/\/2026-11-09-raspios-trixie-/)
    ])
    expect((await releaseSource(again, home, log)).sha256).toBe(sum(archive))
    expect(server.requests).toHaveLength(before)
  })

  test('is known by its checksum when the one beside the image cannot be had', async () => {
    publish({})
    await use()
    server.serve(`${path}.sha256`, { status: 500 })
    expect((await open('latest')).sha256).toBe(sum(archive))
  })

  test('by another catalogue is another', async () => {
    publish({})
    await use()
    const other = server.serve('/other.json', { status: 404 })
    const found = await resolveRelease({ kind: 'catalogue', name: 'raspios-lite-arm64', tag: '2026-10-06' }, other, {
      home,
      log
    })
    expect([found.release.from, found.sha256]).toEqual(['index', undefined])
  })

  test('whose note is damaged is looked up again', async () => {
    publish({})
    await use()
    for (const note of [`{"release": {}}`, '{']) {
      mkdirSync(home.sources, { recursive: true })

      for (const file of readdirSync(home.sources).filter(entry => entry.startsWith('release-')))
        writeFileSync(join(home.sources, file), note)
      expect((await resolved('2026-11-09')).sha256).toBeUndefined()
    }
  })
})

describe('without a catalogue', () => {
  beforeEach(() => {
    server.serve('/list.json', { status: 404 })
  })

  test('the built-in index serves, with a warning', async () => {
    const { release: found, problem } = await resolved('bookworm')
    expect([found.name, found.from, problem]).toEqual([
      'raspios-oldstable-lite-arm64',
      'index',
      expect.stringContaining('the server has no such file')
    ])
    expect(log.of('warn')).toEqual([expect.stringMatching(/built-in index of last-known releases, which may be old$/)])
  })

  test('what the index does not have may exist: that is no wrong input', async () => {
    expect(await complaint(resolved('24.04', 'ubuntu-arm64'))).toMatch(
      /^ubuntu-arm64:24\.04 is not in the built-in index of releases, and the catalogue cannot be read: .*\nCause: .*the index has: .*raspios-arm64.*\nRemedy: .*no image is prepared here yet/
    )
  })

  test('an image that cannot be fetched either is said to be out of reach, with what is prepared', async () => {
    const folder = join(home.images, 'abc')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'disk.img'), 'x')
    const made = { name: 'raspios-lite-arm64', pin: '2026-06-18' }
    writeFileSync(join(folder, 'meta.json'), JSON.stringify({ title: 'T', architecture: 'arm64', release: made }))
    const found = await resolved('latest')
    const nowhere = { ...found, release: { ...found.release, url: 'http://127.0.0.1:9/x.img.xz' } }
    expect(await complaint(releaseSource(nowhere, home, log))).toMatch(
      /^raspios-lite-arm64:2026-10-06 is not prepared here and cannot be fetched: .*127\.0\.0\.1:9\/x\.img\.xz\.sha256 failed: .*\nCause: no network: the catalogue is out of reach, too .*\nRemedy: .*prepared here: raspios-lite-arm64:2026-06-18$/
    )
  })
})

test('an unknown tag names the valid ones, the nearest first; an unknown name the same', async () => {
  publish({})
  expect(await complaint(resolved('trixi'))).toMatch(
    /^bad input: input `image` is “raspios-lite-arm64:trixi”, but raspios-lite-arm64 has no such tag; valid, the nearest first: trixie, /
  )
  expect(await complaint(resolved('latest', 'raspios-lite-amr64'))).toMatch(
    /^bad input: input `image` is “raspios-lite-amr64”, which is neither a file nor the name of an image; valid names, the nearest first: raspios-lite-arm64, /
  )
})

test('an image that the disk has no room for is not downloaded', async () => {
  publish({ extract_size: 2 ** 52, image_download_sha256: sum(archive) })
  expect(await complaint(open().then(fetched))).toMatch(
    new RegExp(
      `^the disk is too small for ${name}, which takes up to \\d+ MiB: \\d+ MiB are free for .*\nCause: .*\nRemedy: .*PI_QEMU_HOME`
    )
  )
  expect(server.seen(path)).toEqual([])
})
