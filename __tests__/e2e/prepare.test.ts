import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, type CliResult } from '../kit/cli'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'

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
  expect([await cached(), await left()]).toEqual([expect.objectContaining({ length: 1 }), []])
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

describe('on Debian', () => {
  let job: RunnerJob
  beforeEach(async () => {
    job = await RunnerJob.create()
  })
  afterEach(async () => {
    expect(await job.dispose()).toEqual([])
  })

  test('apt-get install takes its time once, and may bring the user of the run', async () => {
    // Another text each time: what an earlier run of this test left does not count.
    const prepare = [
      `echo "${new Date().toISOString()}" > /etc/prepared-at`,
      'apt-get -q update && apt-get -q -y install --no-install-recommends jq',
      'useradd --create-home --shell /bin/bash builder'
    ].join('\n')
    const look = [
      'id -un; sudo -n id -un; jq --version; cat /etc/prepared-at',
      'sudo sh -c "ls /var/cache/apt/archives/*.deb; ls /etc/ssh/ssh_host_*" 2>/dev/null',
      'wc -c < /etc/machine-id; true'
    ].join('\n')
    const inputs = { image: 'debian-arm64:bookworm', board: 'virt', sync: 'none', 'boot-timeout': '15m' }
    const step = job.step({ ...inputs, user: 'builder', prepare, run: look })
    const cold = await step.main()
    await step.post()
    expect([cold.code, cold.log]).toEqual([0, expect.stringContaining('Setting up jq')])
    expect(cold.stdout).toMatch(/^builder\nroot\njq-1\.6\n/m)
    expect(cold.stdout).not.toMatch(/\.deb$|ssh_host/m)

    const again = job.step({ ...inputs, user: 'builder', prepare, run: look, password: 'pw-4711' })
    const warm = await again.main()
    await again.post()
    expect([warm.code, warm.outputs['cache-hit']]).toEqual([0, 'prepared'])
    expect(warm.log).not.toContain('Setting up jq')
    expect(warm.stdout).toMatch(/^builder\nroot\njq-1\.6\n/m)
    const timings = JSON.parse(warm.outputs['timings'] ?? '{}') as Readonly<Record<string, number>>
    expect(timings['prepare']).toBeUndefined()
  })
})
