import { execFile } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { elfProgram } from '../../src/host/elf'
import { presetCpu } from '../../src/usermode/preset'
import { cli } from '../kit/cli'
import { run } from '../kit/run'
import { repository } from '../kit/runner'

jest.setTimeout(300_000)

/** Runs shell lines in a namespace with a binfmt_misc and a /run of its own; `handlers` is the command under test. */
async function inNamespace(...lines: readonly string[]): Promise<readonly string[]> {
  const text = [
    'set -u',
    'fs=/proc/sys/fs/binfmt_misc',
    'mount -t tmpfs tmpfs /run',
    'handlers() { "$node" "$cli" binfmt "$@" 2>&1 || echo "status $?"; }',
    ...lines,
    'true'
  ].join('\n')
  const env = { ...process.env, node: process.execPath, cli: join(repository, 'dist/cli/index.js') }
  const unshare = ['--user', '--map-root-user', '--mount', 'sh', '-c', text]
  const { stdout } = await promisify(execFile)('unshare', unshare, { env })
  return stdout.split('\n').slice(0, -1)
}

describe('pi-qemu binfmt', () => {
  // Programs are installed on the host itself: nothing of a namespace's file system would stay.
  beforeAll(async () => {
    expect(await cli(['doctor', '--install'])).toMatchObject({ code: 0 })
  })

  test('installs handlers, tries each with a program of its platform, and takes them away again', async () => {
    const said = await inNamespace(
      'handlers status',
      'handlers install --platforms all',
      'handlers status',
      'handlers restore',
      'handlers status',
      'ls -d /run/pi-qemu* 2>/dev/null'
    )
    const names = ['aarch64', 'arm', 'loongarch64', 'mips64el', 'ppc64le', 'riscv64', 's390x']
    expect(said[0]).toBe('binfmt_misc: not mounted')
    const tried = [...said.slice(1, 8)].sort().map(line => line.replace(/QEMU [\d.]+/, 'QEMU x'))
    expect(tried).toEqual([
      "aarch64: QEMU x, the host's, as a cortex-a72",
      "arm: QEMU x, the host's, as a cortex-a7",
      ...names.slice(2).map(name => `${name}: QEMU x, the host's, with all that it can`)
    ])
    expect(said[8]).toBe('binfmt_misc: mounted')
    const seen = said.slice(9, 16).map(line => line.replace(/ +/g, ' ').replace(/\S+emulators\/(\S+)-\w+ /, '$1 '))
    expect(seen).toEqual([
      'pi-qemu-host-aarch64 enabled ours qemu-aarch64-cortex-a72 (PF) linux/arm64',
      'pi-qemu-host-arm enabled ours qemu-arm-cortex-a7 (PF) linux/arm/v7, linux/arm/v6, linux/arm/v5',
      'pi-qemu-host-loongarch64 enabled ours /usr/bin/qemu-loongarch64-static (PF) linux/loong64',
      'pi-qemu-host-mips64el enabled ours /usr/bin/qemu-mips64el-static (PF) linux/mips64le',
      'pi-qemu-host-ppc64le enabled ours /usr/bin/qemu-ppc64le-static (PF) linux/ppc64le',
      'pi-qemu-host-riscv64 enabled ours /usr/bin/qemu-riscv64-static (PF) linux/riscv64',
      'pi-qemu-host-s390x enabled ours /usr/bin/qemu-s390x-static (PF) linux/s390x'
    ])
    expect(said.slice(16)).toEqual([
      `removed ${names.map(name => `pi-qemu-host-${name}`).join(', ')}`,
      'binfmt_misc: not mounted'
    ])
  })

  test('leaves a handler of somebody else alone, whose emulator does not work', async () => {
    const theirs = String.raw`:qemu-arm:M::\x7fELF\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00::/bin/false:F`
    const said = await inNamespace(
      'mount -t binfmt_misc binfmt_misc $fs',
      `printf %s '${theirs}' > $fs/register; cat $fs/qemu-arm > /run/before`,
      'handlers install --platforms linux/arm/v7 --setuid',
      'handlers restore',
      'cmp $fs/qemu-arm /run/before && ls $fs'
    )
    expect(said).toEqual([
      expect.stringMatching(/^arm: QEMU \S+, the host's, as a cortex-a7$/),
      'removed pi-qemu-host-arm',
      ...['qemu-arm', 'register', 'status']
    ])
  })

  test('registers all or none', async () => {
    // The second one's emulator has a path that is too long for the kernel.
    const said = await inNamespace(
      'long=/run; for part in 1 2 3 4 5 6 7 8 9; do long=$long/$(printf %0220d $part); done',
      'mkdir -p $long; ln -s /usr/bin/qemu-riscv64-static $long/; PATH=$long:$PATH',
      'handlers install --platforms linux/arm64,linux/riscv64',
      'handlers status',
      'ls -d /run/pi-qemu* 2>/dev/null'
    )
    expect(said.join('\n')).toMatch(
      /^error: the handlers could not be changed[\s\S]*status 125\nbinfmt_misc: not mounted$/
    )
  })

  test('takes its handlers away if a program does not run by them', async () => {
    // An empty file system on the temporary folder that lets nothing be executed.
    const said = await inNamespace(
      'mkdir /run/tmp; mount -t tmpfs -o noexec tmpfs /run/tmp; export TMPDIR=/run/tmp',
      'handlers install',
      'handlers status'
    )
    expect(said.join('\n')).toMatch(
      /^error: \S+\/qemu-aarch64-cortex-a72-\w+ does not run a program of aarch64: .*\nCause: .*noexec[\s\S]*status 125\nbinfmt_misc: not mounted$/
    )
  })

  test('takes the emulators of Debian stable, apart from the host, where that is asked for', async () => {
    const said = await inNamespace('handlers install --platforms linux/arm/v6 --qemu private', 'handlers restore')
    expect(said.filter(line => !line.startsWith(' '))).toEqual([
      expect.stringMatching(/^arm: QEMU 1\d\.\d+\.\d+, private, as an arm1176$/),
      'removed pi-qemu-host-arm'
    ])
  })

  test('says what is valid', async () => {
    const wrong = [
      ['up'],
      [],
      ['install', '--platforms', 'linux/arm/v9'],
      ['install', '--platform', 'x'],
      ['status', 'all']
    ]
    const results = await Promise.all(wrong.map(words => cli(['binfmt', ...words])))
    expect(results.map(({ code }) => code)).toEqual(wrong.map(() => 125))
    expect(results[0]?.stderr).toContain('`pi-qemu binfmt` does not know “up”; valid: status, install, restore')
    expect(results[2]?.stderr).toContain('“linux/arm/v9”, which is no platform; valid: all, linux/arm64, ')
    expect(results[3]?.stderr).toContain('--platform')
  })
})

describe('an emulator that shows a CPU by itself', () => {
  /** Programs that end with the number of their arguments, as emulators of two hosts' kinds. */
  const programs = [
    ['x86_64', { bits: 64, order: 'little', machine: 62 }, '8b3c24b83c0000000f05'], // mov (%rsp), %edi; mov $60, %eax; syscall
    ['aarch64', { bits: 64, order: 'little', machine: 183 }, 'e00340f9a80b80d2010000d4'] // ldr x0, [sp]; mov x8, #93; svc #0
  ] as const

  test.each(programs)('is given two more arguments, unless QEMU_CPU is set: on %s', async (name, kind, code) => {
    const folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-preset-'))
    try {
      const file = join(folder, name)
      const original = Buffer.concat([elfProgram(kind, Buffer.from(code, 'hex')), Buffer.alloc(4096)])
      await writeFile(file, presetCpu(original, 'cortex-a72') ?? '', { mode: 0o755 })
      const status = (env: string): Promise<string> =>
        run('sh', ['-c', `env -i A=1 QEMU=2 ${env} qemu-${name}-static "$1" path; echo $?`, 'sh', file])
      expect([await status(''), await status('QEMU_CPU=max'), await status('QEMU_CPUS=x')]).toEqual([
        '4\n',
        '2\n',
        '4\n'
      ])
    } finally {
      await rm(folder, { recursive: true })
    }
  })

  test('is not made of a file without room, or of another kind', () => {
    const [, kind, code] = programs[0]
    const full = elfProgram(kind, Buffer.from(code, 'hex'))
    expect([presetCpu(full, 'max'), presetCpu(Buffer.from('#!/bin/sh\n'), 'max')]).toEqual([undefined, undefined])
  })
})
