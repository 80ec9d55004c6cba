import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ensureTools, missingTools, packagesFor, tools, toolVersion, type ToolName } from '../../../src/host/tools'
import { findTool } from '../../../src/host/exec'
import { scratchFolder } from '../scratch'
import { RecordedLog } from '../recorded-log'

const scratch = scratchFolder()
const path = process.env['PATH'] ?? ''
afterEach(() => {
  process.env['PATH'] = path
})

describe('the packages for', () => {
  test.each<[readonly ToolName[], readonly string[]]>([
    [['qemu-img', 'qemu-io'], ['qemu-utils']],
    [
      ['xz', 'mke2fs', 'debugfs', 'sfdisk'],
      ['e2fsprogs', 'fdisk', 'xz-utils']
    ],
    [['mmdebstrap'], ['debian-archive-keyring', 'mmdebstrap']],
    [['ssh', 'ssh-keygen'], ['openssh-client']],
    [['bsdtar'], ['libarchive-tools']],
    [[], []]
  ])('%j are %j, each once and in order', (names, packages) => {
    expect(packagesFor(names)).toEqual(packages)
  })

  test('all tools have names that apt could know', () => {
    const wrong = packagesFor(Object.keys(tools) as ToolName[]).filter(name => !/^[a-z0-9][a-z0-9+.-]+$/.test(name))
    expect(wrong).toEqual([])
  })
})

describe('a tool', () => {
  test('is found along the PATH, the first that can be run', async () => {
    const [first, second, third] = [scratch.fresh(), scratch.fresh(), scratch.fresh()]
    mkdirSync(join(first, 'not-xz'))
    writeFileSync(join(second, 'our-tool'), '')
    chmodSync(join(second, 'our-tool'), 0o644)
    writeFileSync(join(third, 'our-tool'), '#!/bin/sh\n')
    chmodSync(join(third, 'our-tool'), 0o755)
    process.env['PATH'] = `${first}::${second}:${third}`
    expect(await findTool('our-tool')).toBe(join(third, 'our-tool'))
    expect(await findTool('no-such-tool')).toBeUndefined()
  })

  test('is found in sbin, which the PATH of a user may lack', async () => {
    process.env['PATH'] = '/usr/bin:/bin'
    expect(await findTool('debugfs')).toMatch(/^(\/usr)?\/sbin\/debugfs$/)
  })

  test('that is missing is named', async () => {
    expect(await missingTools(['gzip', 'debugfs'])).toEqual([])
    process.env['PATH'] = scratch.fresh()
    expect(await missingTools(['gzip', 'qemu-img'])).toEqual(['gzip', 'qemu-img'])
  })

  test('tells its version, whichever output it uses for it', async () => {
    expect(await toolVersion('xz')).toMatch(/xz.*\d/i)
    expect(await toolVersion('debugfs')).toMatch(/^debugfs \d/)
    expect(await toolVersion('gzip')).toBe('present')
  })
})

test('nothing is installed when nothing is missing, and sbin is on the PATH from then on', async () => {
  process.env['PATH'] = '/usr/bin:/bin'
  const log = new RecordedLog()
  await ensureTools(['gzip', 'debugfs'], log)
  expect(log.entries).toEqual([])
  expect(process.env['PATH'].split(':')).toEqual(['/usr/bin', '/bin', '/usr/sbin', '/sbin'])
  await ensureTools([], log)
  expect(process.env['PATH'].split(':')).toHaveLength(4)
})

test('a host without apt is told what to install by hand', async () => {
  const empty = scratch.fresh()
  expect(existsSync('/usr/sbin/apt-get')).toBe(false)
  process.env['PATH'] = empty
  await expect(ensureTools(['gzip'], new RecordedLog())).rejects.toMatchObject({
    details: {
      symptom: 'this host lacks gzip, and has no apt-get to install them',
      remedy: "install them (by Debian's names) with the host's own package manager"
    }
  })
})
