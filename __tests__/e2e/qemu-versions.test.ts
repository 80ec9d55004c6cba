import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli } from '../kit/cli'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(600_000)

/** The tool cache that all jobs of this file share, as the jobs of one self-hosted runner do. */
let tools: string
let job: RunnerJob
beforeAll(async () => {
  tools = await mkdtemp(join(tmpdir(), 'pi-qemu-test-tools-'))
})
afterAll(() => rm(tools, { recursive: true, force: true }))
beforeEach(async () => {
  job = await RunnerJob.create({ env: { RUNNER_TOOL_CACHE: tools } })
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const errors = ({ commands }: StepResult): readonly string[] =>
  commands.filter(({ name }) => name === 'error').map(({ message }) => message)
const major = ({ outputs }: StepResult): number => Number(outputs['qemu-version']?.split('.')[0])

/** No fetch can succeed: a proxy that nobody listens at. */
const offline = { http_proxy: 'http://127.0.0.1:9', https_proxy: 'http://127.0.0.1:9' }

/** A PATH in front of which stands a QEMU that says it is 7.2, whatever this host has. */
async function oldQemu(folder: string): Promise<Readonly<Record<string, string>>> {
  const program = join(folder, 'bin/qemu-system-aarch64')
  await mkdir(join(folder, 'bin'), { recursive: true })
  await writeFile(program, '#!/bin/sh\necho QEMU emulator version 7.2.22\n')
  await chmod(program, 0o755)
  return { PATH: `${join(folder, 'bin')}:${process.env['PATH'] ?? ''}` }
}

test('qemu: private boots to SSH, is kept, and post finds its process; the host keeps its own', async () => {
  const hosts = await run('dpkg-query', ['--show'])
  const step = job.step({
    ...{ image: 'mini-arm64', board: 'virt', qemu: 'private', sync: 'none', 'keep-running': 'true' },
    run: 'uname -m'
  })
  const result = await step.main()
  expect([result.code, major(result) >= 10]).toEqual([0, true])
  expect(result.log).toMatch(/QEMU \d+\.\d+\.\d+, private \(Debian .*\): `qemu: private`/)
  expect(result.stdout).toMatch(/^aarch64$/m)
  expect(await job.orphans()).toEqual([expect.stringMatching(/^\d+ \S*ld-linux\S* .*qemu-system-aarch64 /)])
  expect(await run('ssh', ['-F', result.outputs['ssh-config'] ?? '', 'pi', 'echo still up'])).toBe('still up\n')
  await step.post()
  expect(await job.orphans()).toEqual([])
  expect(await run('dpkg-query', ['--show'])).toBe(hosts)
  const [name = ''] = await readdir(tools)
  expect(await readdir(join(tools, name))).toEqual([expect.stringContaining(result.outputs['qemu-version'] ?? '')])
})

test('the second job fetches nothing; raspi4b takes the private QEMU by itself, and is a Pi 4 with its 2 GiB', async () => {
  const step = job.step(
    {
      ...{ image: 'mini-arm64', board: 'raspi4b', sync: 'none' },
      run: `tr -d '\\0' < /proc/device-tree/model; echo; nproc; awk '/MemTotal/ { print ($2 > 1800000) }' /proc/meminfo`
    },
    { env: { ...offline, ...(await oldQemu(job.root)) } }
  )
  const result = await step.main()
  expect(errors(result)).toEqual([])
  expect(result.stdout).toMatch(/^Raspberry Pi 4 Model B$\n^4$\n^1$/m)
  expect(result.log).toMatch(/QEMU \d+\.\d+\.\d+, private .*: the host's 7\.2\.22 has no board raspi4b/)
  expect(result.log).not.toContain('Fetching QEMU')
  expect(result.outputs).toMatchObject({ board: 'raspi4b', outcome: 'success' })
  expect(major(result)).toBeGreaterThanOrEqual(10)
  await step.post()
})

describe('a QEMU that cannot do it is one clear error, before any work on an image', () => {
  test.each<[string, (folder: string) => string, RegExp]>([
    [
      'qemu: host, which is too old',
      () => 'host',
      /^input `qemu` is “host”, but board `raspi4b` needs QEMU 9\.0 or newer, and the host is behind: it has QEMU 7\.2\.22; valid: `qemu: auto` or `qemu: private`, or `board: raspi3b`$/
    ],
    [
      'a program that is none',
      () => '/bin/true',
      /^input `qemu` names \/bin\/true, which is no QEMU system emulator; valid: /
    ],
    [
      'a program that lacks the board',
      folder => join(folder, 'bin/qemu-system-aarch64'),
      /^input `qemu` names .*, QEMU 7\.2\.22, which has no board `raspi4b` \(in QEMU since 9\.0\); valid: `qemu: auto` or `qemu: private`$/
    ],
    [
      'a file that cannot be run',
      () => '/etc/os-release',
      /^input `qemu` names \/etc\/os-release, which cannot be run: /
    ]
  ])('%s', async (_title, qemu, fault) => {
    const home = join(job.root, 'empty-home')
    const old = await oldQemu(job.root)
    const step = job.step(
      { image: 'mini-arm64', board: 'raspi4b', qemu: qemu(job.root), sync: 'none', run: 'true' },
      { env: { ...offline, ...old, PI_QEMU_HOME: home } }
    )
    const result = await step.main()
    expect(result.code).toBe(125)
    expect(result.outputs['outcome']).toBe('bad-input')
    expect(errors(result)).toEqual([expect.stringMatching(fault)])
    expect(existsSync(join(home, 'images'))).toBe(false)
    expect(result.seconds).toBeLessThan(30)
    await step.post()
  })
})

test("on a terminal it is below PI_QEMU_HOME, stdout is the script's, doctor knows it, and clean --cache drops it", async () => {
  const home = join(job.root, 'home-of-terminal')
  const env = await oldQemu(job.root)
  // As a fetch would leave it; the first test has shown that.
  await mkdir(home)
  await run('cp', ['-r', '--preserve', tools, join(home, 'tools')])
  const doctor = await cli(['doctor'], { home, env })
  expect(doctor.stdout).toMatch(
    /^ok {6}board raspi4b: by a private QEMU \(\d+\.\d+\.\d+\), since the host's has none$/m
  )
  const { code, stdout, stderr } = await cli(
    ['run', '--board', 'virt', '--qemu', 'private', '--sync', 'none', '--', 'echo', 'only this'],
    { home, env }
  )
  expect([code, stdout]).toEqual([0, 'only this\n'])
  expect(stderr).not.toContain('Fetching QEMU')
  await cli(['clean', '--cache'], { home })
  expect((await readdir(home)).sort()).toEqual(['logs', 'runs'])
})
