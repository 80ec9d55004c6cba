import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { cacheCommand } from '../../../src/commands/cache'
import { homeFolders, type Home } from '../../../src/host/paths'
import { Journal } from '../../../src/journal'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
let home: Home
let log: RecordedLog
let printed: string[]
beforeEach(() => {
  delete process.env['GITHUB_STATE']
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
  printed = []
  entry(home.images, 'old', Date.UTC(2026, 0, 1), { title: 'Debian 12' })
  entry(home.images, 'new', Date.UTC(2026, 5, 1), { title: 'Debian 12', provenance: { base: 'old' } })
  entry(home.kernels, 'arm64-0123', Date.UTC(2026, 2, 1))
})

function entry(folder: string, name: string, used: number, meta: object = {}): void {
  const path = join(folder, name)
  mkdirSync(path, { recursive: true })
  writeFileSync(join(path, 'meta.json'), JSON.stringify(meta))
  writeFileSync(join(path, 'disk.img'), Buffer.alloc(1024 * 1024, 1))
  utimesSync(path, new Date(used), new Date(used))
}

const command = (...args: readonly string[]): Promise<number> =>
  cacheCommand(args, { home, print: line => printed.push(line), log })

test('it lists what there is, the last used first', async () => {
  expect(await command()).toBe(0)
  expect(printed).toEqual([
    expect.stringMatching(/^image +new {2}1\.0 MiB, used 2026-06-01 00:00, Debian 12, prepared from old$/),
    expect.stringMatching(/^kernel +arm64-0123 {2}1\.0 MiB, used 2026-03-01 00:00$/),
    expect.stringMatching(/^image +old {2}1\.0 MiB, used 2026-01-01 00:00, Debian 12$/),
    expect.stringMatching(/^3\.0 MiB in .*; 0 note\(s\) on sources$/)
  ])
})

test('--json has all of it', async () => {
  expect(await command('--json')).toBe(0)
  const rows = JSON.parse(printed.join('\n')) as readonly object[]
  expect(rows[2]).toMatchObject({ name: 'old', kind: 'image', lastUse: '2026-01-01T00:00:00.000Z', inUse: false })
})

test('--remove drops what is named, and says what is not there', async () => {
  expect(await command('--remove', 'old', '--remove', 'arm64-0123', '--remove', 'nothing')).toBe(1)
  expect([readdirSync(home.images), readdirSync(home.kernels)]).toEqual([['new'], []])
  expect([printed.length, log.of('error')]).toEqual([2, ['nothing called nothing is cached']])
  expect(readdirSync(home.root).sort()).toEqual(['images', 'kernels'])
})

test('--prune keeps to a size; what a living run uses stays', async () => {
  const used = { 'images/old': 1, 'images/new': 3, 'kernels/arm64-0123': 2 }
  for (const [name, time] of Object.entries(used)) {
    writeFileSync(join(home.root, name, 'more'), Buffer.alloc(30 * 1024 * 1024, 1))
    utimesSync(join(home.root, name), time, time)
  }
  const journal = Journal.create(home)
  journal.record({ kind: 'uses', path: join(home.images, 'old') })
  expect(await command('--prune', '64M')).toBe(0)
  expect([existsSync(join(home.images, 'old')), existsSync(join(home.kernels, 'arm64-0123'))]).toEqual([true, false])
  expect(await command('--remove', 'old')).toBe(1)
  expect([readdirSync(home.images), log.of('warn')]).toEqual([
    ['new', 'old'],
    ['old is in use by a living run, and was kept']
  ])
})

test.each([
  [['--all'], /takes --json, --remove NAME, --prune SIZE/],
  [['--prune', 'much'], /cache-max-size/]
])('%j is refused', async (args, message) => {
  await expect(command(...args)).rejects.toThrow(message)
})
