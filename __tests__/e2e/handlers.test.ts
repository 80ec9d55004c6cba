import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { handlerLine } from '../../src/usermode/handler'
import { platform } from '../../src/usermode/platforms'
import { testProgram } from '../../src/usermode/self-test'
import { cli } from '../kit/cli'
import { difference, hostState, unchanged, type HostState } from '../kit/host-state'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'

/** The action with nothing to run: handlers on this very host, from main to post. */
jest.setTimeout(300_000)

const fs = '/proc/sys/fs/binfmt_misc'
let job: RunnerJob
let scratch: string
let before: HostState
const look = (): Promise<HostState> => hostState({ roots: [join(job.home, 'runs')] })

beforeAll(async () => {
  expect(await cli(['doctor', '--install'])).toMatchObject({ code: 0 })
})
beforeEach(async () => {
  job = await RunnerJob.create()
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-handlers-'))
  before = await look()
})
afterEach(async () => {
  const left = await job.dispose()
  await rm(scratch, { recursive: true, force: true })
  expect(left).toEqual([])
  expect(difference(before, await look())).toEqual(unchanged)
})

/** Status of a program of a platform on this host: 42 if one of the emulators runs it. */
async function statusOf(name: string): Promise<number> {
  const { emulator } = platform(name)
  const file = join(scratch, emulator.name)
  await writeFile(file, testProgram(emulator))
  await chmod(file, 0o755)
  const said = await run('sh', ['-c', '"$1" 2>/dev/null; echo $?', 'try', file])
  return Number(said)
}

const own = async (): Promise<readonly string[]> =>
  existsSync(fs) ? (await readdir(fs)).filter(name => name.startsWith('pi-qemu-')).sort() : []

const step = (inputs: Readonly<Record<string, string>> = {}): ReturnType<RunnerJob['step']> =>
  job.step({ mode: 'user', ...inputs })

test('programs of the Pi run on this host from main to post, with a CPU of the Pi, and then no more', async () => {
  const first = step()
  const { code, log, outputs } = await first.main()
  expect([code, log]).toEqual([0, expect.stringMatching(/^arm: QEMU [\d.]+, the host's, as a cortex-a7$/m)])
  expect(outputs).toMatchObject({
    outcome: 'success',
    platforms: 'linux/amd64,linux/386,linux/arm64,linux/arm/v7,linux/arm/v6,linux/arm/v5'
  })
  expect(JSON.parse(outputs['timings'] ?? '{}')).toMatchObject({ handlers: expect.any(Number) as number })
  expect([await statusOf('linux/arm64'), await statusOf('linux/arm/v7')]).toEqual([42, 42])
  expect((await first.post()).log).toContain('Torn down')
  expect([await statusOf('linux/arm64'), await own()]).toEqual([126, []])
  expect((await first.post()).code).toBe(0)
})

test('`setuid` and `qemu-cpu` are in what is registered', async () => {
  const wanted = step({ platforms: 'linux/arm/v6', setuid: 'true', 'qemu-cpu': 'linux/arm/v6=arm1136' })
  expect((await wanted.main()).log).toContain('as an arm1136')
  const [name = '', ...others] = await own()
  expect(others).toEqual([])
  expect(await readFile(join(fs, name), 'utf8')).toMatch(/^interpreter .*qemu-arm-arm1136-\w+\nflags: POCF$/m)
  await wanted.post()
})

describe('what others registered', () => {
  /** Handlers of somebody else, one of them switched off, and binfmt_misc switched off as a whole. */
  async function foreign(): Promise<readonly string[]> {
    await run('mount', ['-t', 'binfmt_misc', 'binfmt_misc', fs])
    for (const [name, row] of [
      ['qemu-arm', 'linux/arm/v7'],
      ['qemu-aarch64', 'linux/arm64']
    ] as const) {
      const { elf } = platform(row).emulator
      await writeFile(join(fs, 'register'), handlerLine({ name, elf, interpreter: '/bin/false', setuid: true }))
    }
    await writeFile(join(fs, 'qemu-aarch64'), '0')
    await writeFile(join(fs, 'status'), '0')
    return contents()
  }
  const contents = async (): Promise<readonly string[]> =>
    Promise.all(
      (await readdir(fs))
        .filter(name => name !== 'register')
        .map(async name => `${name}: ${await readFile(join(fs, name), 'utf8')}`)
    )
  afterEach(async () => {
    for (const name of ['mine', 'qemu-arm', 'qemu-aarch64'])
      if (existsSync(join(fs, name))) await writeFile(join(fs, name), '-1')
    if (existsSync(join(fs, 'status'))) await writeFile(join(fs, 'status'), '1')
    await run('umount', [fs], { tolerate: true })
  })

  test('is exactly as it was, whether main ended or was killed, and wherever', async () => {
    const theirs = await foreign()
    const whole = step({ platforms: 'all' })
    await whole.main()
    expect(await statusOf('linux/arm/v7')).toBe(42)
    await whole.post()
    expect(await contents()).toEqual(theirs)
    for (const delay of [0, 20, 60]) {
      const killed = step({ platforms: 'all' })
      const running = await killed.start()
      await running.waitForLog(/Handlers in binfmt_misc/, 60_000)
      await sleep(delay)
      running.kill('SIGKILL')
      await running.done
      await killed.post()
      expect(await contents()).toEqual(theirs)
    }
  })

  test('meanwhile stays, and of two uses each takes its own away', async () => {
    const [first, second] = [step(), step({ platforms: 'linux/arm64' })]
    await first.main()
    const { elf } = platform('linux/riscv64').emulator
    await writeFile(join(fs, 'register'), handlerLine({ name: 'mine', elf, interpreter: '/bin/true', setuid: false }))
    await second.main()
    expect(await own()).toHaveLength(3)
    await first.post()
    expect([(await own()).length, await statusOf('linux/arm64'), await statusOf('linux/arm/v7')]).toEqual([1, 42, 126])
    await second.post()
    expect([await own(), await statusOf('linux/riscv64')]).toEqual([[], 0])
  })
})

test('a CPU that the emulator lacks, and an emulator for several platforms, are refused before anything is registered', async () => {
  const cpu = await step({ platforms: 'linux/arm/v7', 'qemu-cpu': 'cortex-a72' }).main()
  expect([cpu.code, cpu.log]).toEqual([
    125,
    expect.stringMatching(/`qemu-cpu` names “cortex-a72”, which \S+qemu-arm-static does not have/)
  ])
  const path = await step({ platforms: 'linux/arm/v7,linux/arm64', qemu: '/usr/bin/qemu-arm-static' }).main()
  expect([path.code, path.log]).toEqual([
    125,
    expect.stringContaining('names one emulator, and `platforms` need several (aarch64, arm)')
  ])
  expect(await own()).toEqual([])
})
