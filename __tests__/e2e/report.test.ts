import { readdir, readFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { debianImage } from '../kit/debian-image'
import { RunnerJob } from '../kit/runner'

// The first Debian image of a machine takes minutes to build.
jest.setTimeout(1_800_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const inReport = (name: string): Promise<string> => readFile(join(job.workspace, 'report', name), 'utf8')
const names = async (): Promise<readonly string[]> => (await readdir(join(job.workspace, 'report'))).sort()

/** Lengths by name of the bars in the picture of a summary, in s. */
function barsOf(summary: string): Readonly<Record<string, number>> {
  const picture = /```mermaid\n([\s\S]*?)\n```/.exec(summary)?.[1] ?? ''
  const sums: Record<string, number> = {}
  let section = ''
  for (const line of picture.split('\n')) {
    section = /^ {2}section (.+)$/.exec(line)?.[1] ?? section
    const ms = Number(/:.*, (\d+)ms$/.exec(line)?.[1] ?? NaN)
    if (!Number.isNaN(ms)) sums[section] = Math.round((sums[section] ?? 0) * 1000 + ms) / 1000
  }
  return sums
}

test('a failing script on a Pi 3: everything that tells of it, and no secret', async () => {
  await mkdir(join(job.workspace, 'report'))
  await writeFile(join(job.workspace, 'report/earlier.txt'), 'of an earlier step')
  const step = job.step({
    ...{ board: 'raspi3b', env: 'API_TOKEN=s3cr3t-value' },
    ...{
      run: 'ls report || echo none; echo "token of ${#API_TOKEN}"; exit 3',
      'report-dir': 'report',
      screenshot: 'true'
    }
  })
  const { code, stdout, outputs, summary } = await step.main()
  await step.post()
  expect([code, stdout.includes('token of 12'), stdout.includes('earlier.txt')]).toEqual([3, true, false])
  expect(await names()).toEqual(
    [
      ...['boot-journal.txt', 'earlier.txt', 'failure.txt', 'qemu-argv.txt', 'qemu.log', 'qmp.log', 'screen.png'],
      ...['serial0.log', 'serial1.log', 'summary.md', 'timings.json']
    ].sort()
  )
  expect(await inReport('failure.txt')).toMatch(/^The script ended with status 3\n/)
  const journal = await inReport('boot-journal.txt')
  const kernel = /Linux version (\S+)/.exec(journal)?.[1]
  expect(summary).toContain(`- **Kernel:** ${kernel ?? 'none'}\n`)
  expect(summary).toMatch(/- \*\*Board:\*\* Raspberry Pi 3 .*\n- \*\*Size:\*\* 4 CPUs, 1024 MiB/)
  expect(await inReport('summary.md')).toBe(summary)
  expect(await inReport('timings.json')).toBe(`${outputs['timings'] ?? ''}\n`)
  expect(barsOf(summary)).toEqual(JSON.parse(outputs['timings'] ?? ''))
  const argv = (await inReport('qemu-argv.txt')).split('\n')
  expect(argv[argv.indexOf('-machine') + 1]).toBe('raspi3b')
  expect(await inReport('qmp.log')).toMatch(
    /Z > \{"execute":"qmp_capabilities"[\s\S]*Z < \{"QMP": [\s\S]*Z > \{"execute":"screendump"/
  )
  const screen = await readFile(join(job.workspace, 'report/screen.png'))
  expect(screen.subarray(1, 4).toString()).toBe('PNG')
  for (const name of await names()) {
    const text = await readFile(join(job.workspace, 'report', name), 'latin1')
    expect([name, /PRIVATE KEY|s3cr3t|ssh-ed25519 AAAA/.exec(text)?.[0]]).toEqual([name, undefined])
  }
})

test('a boot of Debian, analysed by its systemd', async () => {
  const image = await debianImage()
  const step = job.step({
    ...{ image, board: 'virt', sync: 'none', run: 'true' },
    ...{ 'report-dir': 'report', 'boot-analysis': 'true' }
  })
  const { code, summary } = await step.main()
  await step.post()
  expect(code).toBe(0)
  expect(await names()).toEqual(
    [
      ...['boot-blame.txt', 'boot-critical-chain.txt', 'boot-journal.txt', 'boot-plot.svg', 'boot-time.txt'],
      ...['qemu-argv.txt', 'qemu.log', 'qmp.log', 'serial0.log', 'summary.md', 'timings.json']
    ].sort()
  )
  expect(await inReport('boot-time.txt')).toMatch(/^Startup finished in .*\(kernel\)/)
  expect(await inReport('boot-blame.txt')).toMatch(/\d+m?s ssh\.service$/m)
  expect(await inReport('boot-critical-chain.txt')).toContain('multi-user.target @')
  expect(await inReport('boot-plot.svg')).toMatch(/<svg [\s\S]*<\/svg>\s*$/)
  expect(await inReport('boot-journal.txt')).toMatch(/^\[ +\d+\.\d+\] \S+ kernel: Linux version/m)
  expect(summary).toMatch(/\*\*Image:\*\* Debian GNU\/Linux 12/)
})

test('a boot that fails: why, and what the console said', async () => {
  const step = job.step({
    ...{ board: 'virt', sync: 'none', run: 'true', append: 'root=/dev/nowhere', 'report-dir': 'out/report' }
  })
  const { outputs, summary } = await step.main()
  await step.post()
  expect(outputs['outcome']).toBe('boot-failed')
  const read = (name: string): Promise<string> => readFile(join(job.workspace, 'out/report', name), 'utf8')
  expect(await read('failure.txt')).toMatch(/no root file system[\s\S]*\nSee: docs\/troubleshooting\.md#no-root\n$/)
  expect(await read('serial0.log')).toContain('/dev/nowhere does not exist')
  expect(await read('summary.md')).toBe(summary)
  expect(summary).toMatch(/ s Boot .* :crit, \d+, \d+ms/)
})

test('user mode', async () => {
  const step = job.step({ mode: 'user', image: 'mini-arm64', run: 'uname -m', 'report-dir': 'report' })
  const { code, stdout, outputs, summary } = await step.main()
  await step.post()
  expect([code, stdout.includes('aarch64')]).toEqual([0, true])
  expect(await names()).toEqual(['summary.md', 'timings.json'])
  expect(summary).toMatch(/\*\*Kernel:\*\* \S+, the host's\n/)
  expect(summary).toContain('**Made faster:** user mode')
  expect(barsOf(summary)).toEqual(JSON.parse(outputs['timings'] ?? ''))
})
