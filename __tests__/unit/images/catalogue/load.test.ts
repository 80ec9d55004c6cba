import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { imagerList, raspiosEntry } from '../../../kit/catalogue'
import { ImageServer } from '../../../kit/image-server'
import { homeFolders, type Home } from '../../../../src/host/paths'
import { ageText, loadCatalogue, type LoadedCatalogue } from '../../../../src/images/catalogue/load'
import { RecordedLog } from '../../recorded-log'
import { scratchFolder } from '../../scratch'

jest.mock('node:timers/promises', () => {
  const timers = jest.requireActual<typeof import('node:timers/promises')>('node:timers/promises')
  return { ...timers, setTimeout: (ms: number, value: unknown) => timers.setTimeout(ms / 500, value) }
})

const scratch = scratchFolder()
const path = '/os_list_imagingutility_v4.json'
const list = (date: string): string =>
  imagerList(raspiosEntry({ channel: 'raspios_lite_arm64', codename: 'trixie', date }))

let home: Home
let log: RecordedLog
let server: ImageServer
beforeEach(async () => {
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
  server = await ImageServer.start()
})
afterEach(() => server.close())

const load = (maxAge?: number): Promise<LoadedCatalogue> => loadCatalogue(server.url + path, home, log, maxAge)
const dates = ({ releases }: LoadedCatalogue): readonly unknown[] => releases.map(({ date }) => date)

/** Makes what is cached so many hours old. */
function age(hours: number): void {
  const time = Date.now() / 1000 - hours * 3600
  for (const name of readdirSync(home.sources)) utimesSync(join(home.sources, name), time, time)
}

test('it comes from the server, which is told who asks', async () => {
  server.serve(path, { body: list('2026-10-06') })
  const loaded = await load()
  expect([loaded.origin, dates(loaded), loaded.problem]).toEqual(['server', ['2026-10-06'], undefined])
  expect(server.seen(path).map(({ userAgent }) => userAgent)).toEqual(['pi-qemu-action'])
})

test('it is found behind a redirect', async () => {
  server.serve(path, { redirect: '/moved.json' })
  server.serve('/moved.json', { body: list('2026-10-06') })
  expect((await load()).origin).toBe('server')
})

test('it is fetched again when the connection breaks', async () => {
  server.serve(path, { body: list('2026-10-06'), truncate: { after: 100, once: true } })
  expect((await load()).origin).toBe('server')
  expect(log.of('info')).toContainEqual(expect.stringMatching(/; trying again$/))
})

test('it is not fetched again for an hour, unless that is asked for', async () => {
  server.serve(path, { body: list('2026-06-18') })
  await load()
  server.serve(path, { body: list('2026-10-06') })
  expect(await load().then(loaded => [loaded.origin, dates(loaded)])).toEqual(['cache', ['2026-06-18']])
  expect(await load(0).then(loaded => [loaded.origin, dates(loaded)])).toEqual(['server', ['2026-10-06']])
  age(1.1)
  expect((await load()).origin).toBe('server')
})

test('a time stamp in the future is no freshness', async () => {
  server.serve(path, { body: list('2026-06-18') })
  await load()
  age(-5)
  expect((await load()).origin).toBe('server')
})

test('two catalogues do not share a cache', async () => {
  server.serve(path, { body: list('2026-06-18') })
  await load()
  const other = server.serve('/other.json', { body: list('2026-10-06') })
  expect(dates(await loadCatalogue(other, home, log))).toEqual(['2026-10-06'])
})

describe('a server that has none', () => {
  const answers = [
    ['is down', { status: 503 }, /the server answered 503/],
    ['knows no such file', { status: 404 }, /is not a catalogue of images: the server has no such file/],
    ['shows a login page', { html: true }, /is not a catalogue of images: it is a web page/],
    ['cuts it short', { body: list('2026-10-06').slice(0, 200) }, /is not a catalogue of images: it is not JSON/],
    ['always breaks off', { body: list('2026-10-06'), truncate: { after: 100 } }, /^the download of \S+ failed: /],
    ['has an image there', { body: Buffer.alloc(33 * 1024 * 1024) }, /has more than 32 MiB, which no list/],
    ['has an empty one', { body: imagerList() }, /it lists no image for a Pi/]
  ] as const

  test.each(answers)('and %s: there is no catalogue, and it is said why', async (_, route, problem) => {
    server.serve(path, route)
    expect(await load()).toEqual({
      releases: [],
      origin: 'none',
      age: undefined,
      problem: expect.stringMatching(problem) as unknown
    })
  })

  test.each(answers)('and %s: the last good one is taken, with a warning', async (_, route, problem) => {
    server.serve(path, { body: list('2026-06-18') })
    await load()
    age(72)
    server.serve(path, route)
    const loaded = await load()
    expect([loaded.origin, dates(loaded), loaded.problem]).toEqual([
      'cache',
      ['2026-06-18'],
      expect.stringMatching(problem)
    ])
    expect(log.of('warn')).toEqual([expect.stringMatching(/the catalogue that was fetched 3 days ago is used$/)])
    // What was bad did not replace it.
    expect((await load()).origin).toBe('cache')
  })
})

test('a damaged cache is as good as none', async () => {
  server.serve(path, { body: list('2026-06-18') })
  await load()
  for (const name of readdirSync(home.sources)) writeFileSync(join(home.sources, name), '{')
  expect((await load()).origin).toBe('server')
})

test.each([
  [20_000, 'just now'],
  [600_000, '10 min ago'],
  [5 * 3_600_000, '5 h ago'],
  [9 * 86_400_000, '9 days ago']
])('%d ms is %s', (ms, text) => {
  expect(ageText(ms)).toBe(text)
})
