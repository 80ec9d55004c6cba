import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PreparedImage } from '../../src/images'
import { Ext4 } from '../../src/images/ext4'
import { cli, type CliResult } from '../kit/cli'
import { debianImage } from '../kit/debian-image'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'

jest.setTimeout(900_000)

let home: string
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'pi-qemu-test-prepare-'))
})
afterEach(async () => {
  await rm(home, { recursive: true, force: true })
})

const mini = async (flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<CliResult> =>
  cli(['run', '--image', await miniImage(), '--sync', 'none', ...flags], { home, env })

const cached = async (): Promise<readonly string[]> => (await readdir(join(home, 'images')).catch(() => [])).sort()
/** Folders of runs that are still there. */
const left = async (): Promise<readonly string[]> => readdir(join(home, 'runs')).catch(() => [])

test('it runs once on the board it is given, for a run on another; one byte more runs it again', async () => {
  const script = 'uname -r > /root/kernel; grep -q . /proc/version; echo "it ran as $(whoami)"'
  const flags = ['--board', 'raspi3b', '--prepare-board', 'virt', '--run', 'cat /root/kernel; test ! -e /root/.secret']
  const first = await mini(['--prepare', script, ...flags])
  expect([first.code, first.stderr]).toEqual([0, expect.stringContaining('it ran as root')])
  expect(first.stderr).toContain('Run `prepare` on virt')
  expect(first.stdout).toMatch(/^6\.1\..*-arm64$/m)

  const second = await mini(['--prepare', script, ...flags])
  expect([second.code, second.stdout]).toEqual([0, first.stdout])
  expect(second.stderr).not.toContain('it ran as root')
  expect(second.stderr).toContain('From a cache: prepared')
  expect(await cached()).toHaveLength(2)

  const third = await mini(['--prepare', `${script} `, '--board', 'virt', '--run', 'cat /root/kernel'])
  expect([third.code, third.stdout]).toEqual([0, first.stdout])
  expect(third.stderr).toContain('it ran as root')
  expect(third.stderr).toContain('From a cache: image (`prepare` changed)')
  expect(await left()).toEqual([])
})

test('what fails, or takes too long, is not kept, and nothing is left of it', async () => {
  const failed = await mini(['--board', 'virt', '--prepare', 'touch /root/mark; exit 9', '--run', 'echo never'])
  expect([failed.code, failed.stdout]).toEqual([9, ''])
  expect(failed.stderr).toContain('`prepare` ended with status 9; nothing of it was cached')
  expect(await cached()).toHaveLength(1)

  const late = await mini(['--board', 'virt', '--prepare', 'sleep 600', '--run-timeout', '2s', '--run', 'echo never'])
  expect([late.code, late.stderr]).toEqual([124, expect.stringContaining('`prepare` ran longer than `run-timeout`')])
  expect(await cached()).toHaveLength(1)
  expect(await left()).toEqual([])
})

test('neither keys nor what the user keeps secret get into what is cached', async () => {
  const secrets = ['--env', 'TOKEN', '--run', 'test "$TOKEN" = hush-hush-4711']
  const script = 'env; cp -r /etc/pi-qemu /root/copy; cp -r /root/.ssh /root/copy2; rm -r /root/copy /root/copy2'
  const env = { TOKEN: 'hush-hush-4711' }
  const { code, stderr } = await mini(['--board', 'virt', '--prepare', script, ...secrets], env)
  expect([code, stderr]).toEqual([0, expect.not.stringContaining('hush-hush-4711')])
  const names = 'BEGIN OPENSSH PRIVATE KEY|ssh-ed25519 AAAA|hush-hush-4711'
  expect(await cached()).toHaveLength(2)
  expect(await run('grep', ['-rlaE', names, join(home, 'images')], { tolerate: true })).toBe('')
})

test('apt-get install takes its time once, and may bring the user of the run', async () => {
  const prepare = [
    'apt-get -q update && apt-get -q -y install --no-install-recommends jq',
    'useradd --create-home --shell /bin/bash builder'
  ].join('\n')
  const look = [
    'id -un; sudo -n id -un; jq --version',
    'sudo sh -c "ls /var/cache/apt/archives/*.deb /etc/ssh/ssh_host_*" 2>/dev/null || true'
  ].join('\n')
  const flags = ['--board', 'virt', '--sync', 'none', '--user', 'builder', '--boot-timeout', '15m']
  const go = async (): Promise<CliResult> =>
    cli(['run', '--image', await debianImage(), ...flags, '--prepare', prepare, '--run', look], { home })
  const cold = await go()
  expect([cold.code, cold.stderr.slice(-3000)]).toEqual([0, expect.any(String)])
  expect(cold.stderr).toContain('Setting up jq')
  expect(cold.stdout).toBe('builder\nroot\njq-1.6\n')

  const warm = await go()
  expect([warm.code, warm.stdout]).toEqual([0, cold.stdout])
  expect(warm.stderr).toContain('From a cache: prepared')
  expect(warm.stderr).not.toContain('Setting up jq')

  const [images, sealed] = [join(home, 'images'), await sealedIn(home)]
  const root = new Ext4(join(images, sealed, 'disk.img'), (await meta(join(images, sealed))).layout.root.offset)
  // As on a fresh card: each machine makes its own.
  expect(await root.readText('/etc/machine-id')).toBe('')
  expect(await root.list('/var/cache/apt/archives')).not.toEqual(
    expect.arrayContaining([expect.stringMatching(/deb$/)])
  )
  for (const name of ['random-seed', 'credential.secret'])
    expect(await root.exists(`/var/lib/systemd/${name}`)).toBe(false)
  // As keys are written; the words around them are in OpenSSH's programs, too.
  const names = 'b3BlbnNzaC1rZXktdjE|AAAAC3NzaC1lZDI1NTE5AAAAI'
  expect(await run('grep', ['-rlaE', names, images], { tolerate: true })).toBe('')
})

async function meta(folder: string): Promise<PreparedImage> {
  return JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8')) as PreparedImage
}

/** The image that has the effects of `prepare`. */
async function sealedIn(folder: string): Promise<string> {
  for (const name of await readdir(join(folder, 'images')))
    if ((await meta(join(folder, 'images', name))).provenance !== undefined) return name
  throw new Error('no image has the effects of `prepare`')
}
