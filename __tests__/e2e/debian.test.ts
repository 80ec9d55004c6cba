import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { boards, type BoardName } from '../../src/boards'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'

/**
 * Debian images take minutes to build, once per machine and month: they stay in the kit's home. By default one is
 * built, and booted on two boards. PI_QEMU_TEST_DEBIAN=all adds the others, and needs about half an hour more.
 */
jest.setTimeout(2_400_000)

interface Combination {
  readonly image: string
  readonly board: BoardName
  readonly machine: string
  readonly kernel: RegExp
  readonly always?: true
}

const combinations: readonly Combination[] = [
  { image: 'debian-arm64:bookworm', board: 'virt', machine: 'aarch64', kernel: /^6\.1\..*-arm64$/, always: true },
  { image: 'debian-arm64:bookworm', board: 'raspi3b', machine: 'aarch64', kernel: /^6\.1\..*-arm64$/, always: true },
  { image: 'debian-armhf:bookworm', board: 'virt', machine: 'armv7l', kernel: /^6\.1\..*-armmp$/ },
  { image: 'debian-armhf:bookworm', board: 'raspi3b', machine: 'aarch64', kernel: /^6\.1\..*-arm64$/ },
  { image: 'debian-armhf:bookworm', board: 'raspi2b', machine: 'armv7l', kernel: /^6\.1\..*-armmp$/ },
  { image: 'debian-arm64:trixie', board: 'virt', machine: 'aarch64', kernel: /^6\.12\..*-arm64$/ },
  { image: 'debian-arm64:trixie', board: 'raspi3b', machine: 'aarch64', kernel: /^6\.12\..*-arm64$/ },
  { image: 'debian-armel:bookworm', board: 'raspi0', machine: 'armv6l', kernel: /^6\.1\..*-rpi$/ }
]
const everything = process.env['PI_QEMU_TEST_DEBIAN'] === 'all'

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const look = [
  'echo "machine=$(uname -m)"',
  'echo "kernel=$(uname -r)"',
  'echo "dpkg=$(dpkg --print-architecture)"',
  'echo "$(id -un) $(id -u), then $(sudo id -un)"',
  'echo "cpus=$(nproc)"',
  '. /etc/os-release; echo "codename=$VERSION_CODENAME"',
  'sudo modprobe tun && echo "module loaded"',
  'echo "free=$(df --output=avail -m / | tail -n 1 | tr -d " ")"'
].join('\n')

test.each(combinations.filter(({ always }) => everything || always === true))(
  '$image on $board',
  async ({ image, board, machine, kernel }) => {
    const step = job.step({ image, board, run: look, sync: 'none', 'boot-timeout': '15m' })
    const { code, stdout, log, outputs } = await step.main()
    await step.post()
    expect([code, log]).toEqual([0, expect.any(String)])
    const [, architecture = '', suite = ''] = /^debian-(\w+):(\w+)$/.exec(image) ?? []
    const said = new Map([...stdout.matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => [name, value]))
    expect([said.get('machine'), said.get('dpkg'), said.get('codename')]).toEqual([machine, architecture, suite])
    expect(said.get('kernel')).toMatch(kernel)
    expect(stdout).toContain('pi 1000, then root\n')
    // However many of them booted.
    expect(Number(said.get('cpus'))).toBe(boards[board].cpus)
    expect(stdout).toContain('module loaded\n')
    expect(Number(said.get('free'))).toBeGreaterThan(2000)
    expect(Number(outputs['boot-seconds'])).toBeGreaterThan(0)
  }
)

test('a second use takes the image from the cache, and apt-get installs a package in it', async () => {
  const run = 'sudo apt-get -q update && sudo apt-get -q -y install --no-install-recommends jq && echo "[1]" | jq -c .'
  const step = job.step({ image: 'debian-arm64:bookworm', board: 'virt', run, sync: 'none', 'boot-timeout': '15m' })
  const { code, stdout, log, outputs } = await step.main()
  await step.post()
  expect([code, log]).toEqual([0, expect.stringContaining('Already prepared: Debian GNU/Linux 12')])
  expect(outputs['cache-hit']).toBe('snapshot')
  expect(log).not.toContain('Building debian')
  expect(stdout).toMatch(/^\[1\]$/m)
})

test('the booted Pi that is kept has no key in it, neither on its disk nor in its memory', async () => {
  const folder = join(job.home, 'snapshots')
  const files = (await readdir(folder, { recursive: true })).filter(name => /(memory|disk\.qcow2)$/.test(name))
  expect(files.length).toBeGreaterThan(1)
  // A private key as it is written: OpenSSH's own programs have the words alone.
  const keys = '-----BEGIN OPENSSH PRIVATE KEY-----\\n([A-Za-z0-9+/]{70}\\n){4}|ssh-ed25519 AAAA[A-Za-z0-9+/]{64}'
  const found = await run('grep', ['-lazP', '-e', keys, ...files], { cwd: folder, tolerate: true })
  expect(found).toBe('')
})
