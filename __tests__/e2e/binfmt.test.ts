import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { cli } from '../kit/cli'
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
    const names = ['aarch64', 'arm', 'ppc64le', 'riscv64', 's390x']
    const tried = names.map(name => `${name}: /usr/bin/qemu-${name}-static, tried with a program`)
    expect(said.slice(0, 1)).toEqual(['binfmt_misc: not mounted'])
    expect([...said.slice(1, 6)].sort()).toEqual(tried)
    expect(said[6]).toBe('binfmt_misc: mounted')
    expect(said.slice(7, 12).map(line => line.replace(/ +/g, ' '))).toEqual([
      'pi-qemu-host-aarch64 enabled ours /usr/bin/qemu-aarch64-static (F) linux/arm64',
      'pi-qemu-host-arm enabled ours /usr/bin/qemu-arm-static (F) linux/arm/v7, linux/arm/v6, linux/arm/v5',
      'pi-qemu-host-ppc64le enabled ours /usr/bin/qemu-ppc64le-static (F) linux/ppc64le',
      'pi-qemu-host-riscv64 enabled ours /usr/bin/qemu-riscv64-static (F) linux/riscv64',
      'pi-qemu-host-s390x enabled ours /usr/bin/qemu-s390x-static (F) linux/s390x'
    ])
    expect(said.slice(12)).toEqual([
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
      'arm: /usr/bin/qemu-arm-static, tried with a program',
      'removed pi-qemu-host-arm',
      ...['qemu-arm', 'register', 'status']
    ])
  })

  test('registers all or none', async () => {
    // The second one's emulator has a path that is too long for the kernel.
    const said = await inNamespace(
      'long=/run; for part in 1 2 3 4 5 6 7 8 9; do long=$long/$(printf %0220d $part); done',
      'mkdir -p $long; ln -s /usr/bin/qemu-arm-static $long/; PATH=$long:$PATH',
      'handlers install',
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
      /^error: \/usr\/bin\/qemu-aarch64-static does not run a program of aarch64: .*\nCause: .*noexec[\s\S]*status 125\nbinfmt_misc: not mounted$/
    )
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
