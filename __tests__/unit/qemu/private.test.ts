import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { CacheHits, readOnly, Saves, type SharedCache } from '../../../src/cache'
import { homeFolders, type Home } from '../../../src/host/paths'
import { Journal, undo } from '../../../src/journal'
import type { QemuInstall } from '../../../src/qemu'
import {
  cachedPrivateVersion,
  cacheVersion,
  librariesIn,
  providePrivateQemu,
  sharedQemuKey
} from '../../../src/qemu/private'
import { Phases } from '../../../src/report/phases'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'
import { answers, script } from './fake-qemu'

/*
 * Debian's packages are stood in for by a mmdebstrap that unpacks the same files, in the same places. Its QEMU is a
 * shell script in the place of the dynamic loader, which is what is started of a private one.
 */
const scratch = scratchFolder()
const path = process.env['PATH'] ?? ''
const [triplet, loader] =
  process.arch === 'arm64'
    ? ['aarch64-linux-gnu', 'ld-linux-aarch64.so.1']
    : ['x86_64-linux-gnu', 'ld-linux-x86-64.so.2']
const toolName = 'pi-qemu-system-arm'

let bin: string
let home: Home
let log: RecordedLog
beforeEach(() => {
  delete process.env['GITHUB_STATE']
  bin = scratch.fresh()
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
  process.env['PATH'] = `${bin}:${path}`
  process.env['RUNNER_TOOL_CACHE'] = ''
})
afterEach(() => {
  process.env['PATH'] = path
})

/** What Debian has from now on. Undefined: it cannot be reached. */
function debianHas(title: string | undefined, { missing = '' } = {}): void {
  const unpacked = scratch.fresh()
  const lib = join(unpacked, 'usr/lib', triplet)
  // Called with --list it lists, else it is QEMU.
  script(
    join(lib, loader),
    `here=$(dirname "$0"); case " $* " in
*" --list "*) printf '\\tlinux-vdso.so.1 (0x00007ffd)\\n\\tlibc.so.6 => %s/libc.so.6 (0x00007f01)\\n\\t/lib64/${loader} => %s/${loader} (0x00007f02)\\n${missing}' "$here" "$here"; exit ;;
esac
${answers(title ?? '')}`
  )
  for (const [file, text] of Object.entries({
    [`usr/lib/${triplet}/libc.so.6`]: 'libc',
    [`usr/lib/${triplet}/libother.so.1`]: 'not needed',
    [`usr/lib/${triplet}/qemu/hw-usb-host.so`]: 'module',
    'usr/bin/qemu-system-aarch64': 'program',
    'usr/bin/passwd': 'not needed',
    'usr/share/qemu/keymaps/de': 'keys',
    'usr/share/qemu/skiboot.lid': 'not needed',
    'usr/share/doc/qemu-system-arm/copyright': 'not needed'
  })) {
    mkdirSync(join(unpacked, file, '..'), { recursive: true })
    writeFileSync(join(unpacked, file), text)
  }
  script(
    join(bin, 'mmdebstrap'),
    title === undefined
      ? `echo asked >> ${bin}/asked; echo 'E: cannot reach the archive' >&2; exit 1`
      : `echo "$*" >> ${bin}/asked; for into; do :; done; cp -r ${unpacked} "$into"`
  )
}
const asked = (): number =>
  existsSync(join(bin, 'asked')) ? readFileSync(join(bin, 'asked'), 'utf8').trim().split('\n').length : 0

const provide = (journal = Journal.create(home)): Promise<QemuInstall> => providePrivateQemu({ home, journal, log })
const kept = (): readonly string[] =>
  existsSync(join(home.tools, toolName)) ? readdirSync(join(home.tools, toolName)) : []
const folderOf = (version: string): string => join(home.tools, toolName, version, process.arch)
/** Makes what is kept look as if it had been fetched so long ago. */
function age(version: string, days: number): void {
  const then = new Date(Date.now() - days * 86_400_000)
  utimesSync(`${folderOf(version)}.complete`, then, then)
}

const [first, second] = ['10.0.13-debian-0-deb13u1', '10.0.13-debian-0-deb13u2']
const [firstTitle, secondTitle] = ['10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)', '10.0.13 (Debian 1:10.0.13+ds-0+deb13u2)']

test('it is fetched once, with what is needed to run and nothing else', async () => {
  debianHas(firstTitle)
  const install = await provide()
  const folder = folderOf(first)
  expect(install).toMatchObject({ origin: 'private', version: '10.0.13', program: join(folder, 'lib', loader) })
  expect(
    readdirSync(folder, { recursive: true })
      .map(String)
      .filter(name => statSync(join(folder, name)).isFile())
      .sort()
  ).toEqual(
    ['bin/qemu-system-aarch64', `lib/${loader}`, 'lib/libc.so.6', 'lib/qemu/hw-usb-host.so', 'share/keymaps/de'].sort()
  )
  expect(readFileSync(join(bin, 'asked'), 'utf8')).toMatch(/--include=qemu-system-arm .*trixie \S+qemu-packages\n$/)
  expect(await provide()).toEqual(install)
  expect([asked(), kept(), await cachedPrivateVersion(home)]).toEqual([1, [first], '10.0.13'])
})

test('in a workflow it is kept in the tool cache of the runner', async () => {
  debianHas(firstTitle)
  const runners = scratch.fresh()
  process.env['RUNNER_TOOL_CACHE'] = runners
  expect((await provide()).program).toBe(join(runners, toolName, first, process.arch, 'lib', loader))
  expect(existsSync(home.tools)).toBe(false)
})

describe('with a cache that other jobs share', () => {
  const shelf = new Map<string, string>()
  const shared: SharedCache = {
    canSave: true,
    async restore({ key }, into) {
      const from = shelf.get(key)
      if (from === undefined) return false
      await cp(from, into, { recursive: true })
      return true
    },
    async save({ key }, from) {
      const to = scratch.fresh()
      await cp(from, to, { recursive: true })
      shelf.set(key, to)
      return true
    }
  }
  beforeEach(() => {
    shelf.clear()
  })
  const withShared = async (cache: SharedCache = shared): Promise<{ install: QemuInstall; level: string }> => {
    const [hits, saves] = [new CacheHits(), new Saves(new Phases(log))]
    const place = { home, journal: Journal.create(home), log, shared: cache, hits, saves }
    const install = await providePrivateQemu(place)
    await saves.settle()
    return { install, level: hits.level }
  }

  test('what one job fetched, the next takes from there', async () => {
    debianHas(firstTitle)
    const one = await withShared()
    expect([one.level, [...shelf.keys()], asked()]).toEqual(['none', [sharedQemuKey(new Date())], 1])
    home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
    const other = await withShared()
    expect([other.level, other.install.version, asked(), kept()]).toEqual(['qemu', '10.0.13', 1, [first]])
  })

  test('one that does not run is not taken', async () => {
    debianHas(firstTitle)
    const broken = scratch.fresh()
    writeFileSync(join(broken, 'nothing'), '')
    shelf.set(sharedQemuKey(new Date()), broken)
    const { level, install } = await withShared()
    expect([level, install.version, asked(), log.of('warn').length]).toEqual(['none', '10.0.13', 1, 1])
  })

  test('with `cache: read-only` nothing is left there', async () => {
    debianHas(firstTitle)
    await withShared(readOnly(shared))
    expect(shelf.size).toBe(0)
  })

  test('it is looked for anew each month', () => {
    expect(sharedQemuKey(new Date('2026-11-30T23:59:59Z'))).toBe('trixie-2026-11')
    expect(sharedQemuKey(new Date('2026-12-01T00:00:00Z'))).toBe('trixie-2026-12')
  })
})

test('two runs at once get the same one, and leave one', async () => {
  debianHas(firstTitle)
  const [one, other] = await Promise.all([provide(), provide()])
  expect(one).toEqual(other)
  expect(kept()).toEqual([first])
  expect(await provide()).toEqual(one)
})

test('a run that was killed half-way leaves nothing that is taken for it, and teardown removes that', async () => {
  debianHas(firstTitle)
  const journal = Journal.create(home)
  // As it is between making the folder and finishing: here it ends, since the program does not run.
  script(join(bin, 'du'), 'exit 1')
  await expect(provide(journal)).rejects.toMatchObject({ outcome: 'host-failed' })
  expect(kept()).toEqual([expect.stringMatching(/^\.making-run-/)])
  rmSync(join(bin, 'du'))
  expect(await cachedPrivateVersion(home)).toBeUndefined()
  await undo(journal.folder, log)
  expect(kept()).toEqual([])
})

test.each([
  ['lacks a library', firstTitle, { missing: '\\tlibgone.so.1 => not found\\n' }, /not complete: no libgone\.so\.1/],
  ['is no QEMU', 'x', {}, /does not run/]
])('packages whose QEMU %s are refused, and not kept', async (_title, title, options, symptom) => {
  debianHas(title, options)
  await expect(provide()).rejects.toMatchObject({
    outcome: 'host-failed',
    details: { symptom: expect.stringMatching(symptom) as string }
  })
  expect(await cachedPrivateVersion(home)).toBeUndefined()
})

test('one that no longer runs is replaced', async () => {
  debianHas(firstTitle)
  await provide()
  writeFileSync(join(folderOf(first), 'lib', loader), '#!/bin/sh\nexit 1\n')
  const install = await provide()
  expect([install.version, asked(), kept()]).toEqual(['10.0.13', 2, [first]])
  expect(log.of('info')).toContainEqual(expect.stringMatching(/is damaged$/))
})

describe('past a month', () => {
  beforeEach(async () => {
    debianHas(firstTitle)
    await provide()
  })

  test('it is not asked before', async () => {
    age(first, 29)
    debianHas(secondTitle)
    expect((await provide()).build).toContain('deb13u1')
    expect(asked()).toBe(1)
  })

  test('a newer build takes over; the older one stays for runs that have it', async () => {
    age(first, 31)
    debianHas(secondTitle)
    expect((await provide()).build).toContain('deb13u2')
    expect([...kept()].sort()).toEqual([first, second])
    expect((await provide()).build).toContain('deb13u2')
    expect(asked()).toBe(2)
  })

  test('where there is none, the same one is good for another month', async () => {
    age(first, 31)
    expect((await provide()).build).toContain('deb13u1')
    expect((await provide()).build).toContain('deb13u1')
    expect([asked(), kept()]).toEqual([2, [first]])
  })

  test('where Debian cannot be reached, the old one serves, with a warning', async () => {
    age(first, 31)
    debianHas(undefined)
    expect((await provide()).build).toContain('deb13u1')
    expect(log.of('warn')).toEqual([expect.stringMatching(/over a month old, and was not renewed/)])
    expect(asked()).toBeGreaterThan(1)
  })
})

test('without one and without Debian it is a fault of the host, with what was said', async () => {
  debianHas(undefined)
  await expect(provide()).rejects.toMatchObject({
    outcome: 'host-failed',
    details: { symptom: expect.stringContaining('cannot reach the archive') as string }
  })
})

test.each([
  ['10.0.13', 'Debian 1:10.0.13+ds-0+deb13u1', '10.0.13-debian-0-deb13u1'],
  ['10.0.2', 'Debian 1:10.0.2+ds-2+b1', '10.0.2-debian-2-b1'],
  ['10.0.2', undefined, '10.0.2']
])('QEMU %s, build %s, is kept as %s', (version, build, key) => {
  expect(cacheVersion({ version, build })).toBe(key)
})

describe('libraries that the loader lists', () => {
  test('are files below the packages; what the kernel brings is none', () => {
    const listed = [
      '\tlinux-vdso.so.1 (0x00007ffd5a5f2000)',
      '\tlibz.so.1 => /pkg/usr/lib/libz.so.1 (0x00007f2a)',
      '\t/lib64/ld-linux-x86-64.so.2 => /pkg/usr/lib/ld.so (0x00007f2b)',
      '\tstatically linked',
      ''
    ]
    expect(librariesIn(listed.join('\n'), '/pkg')).toEqual(['/pkg/usr/lib/libz.so.1', '/pkg/usr/lib/ld.so'])
  })

  test.each([
    '\tlibz.so.1 => not found',
    '\tlibz.so.1 => /lib/libz.so.1 (0x00007f2a)',
    '\tlibz.so.1 => /pkg2/libz.so.1 (0x1)'
  ])('that are not below them are a fault: %j', listed => {
    expect(() => librariesIn(listed, '/pkg')).toThrow('the packages of the private QEMU are not complete: no libz.so.1')
  })
})
