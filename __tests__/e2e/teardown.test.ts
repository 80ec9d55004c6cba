import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { difference, hostState, unchanged } from '../kit/host-state'
import { miniImage } from '../kit/mini-image'
import { toCompressed } from '../kit/archives'
import { RunnerJob, sharedHome } from '../kit/runner'

jest.setTimeout(300_000)

let home: string
let job: RunnerJob
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), 'pi-qemu-test-home-'))
  // These two stay, empty.
  for (const folder of ['runs', 'logs']) await mkdir(join(home, folder))
  job = await RunnerJob.create({ home })
})
afterEach(async () => {
  const left = await job.dispose()
  await rm(home, { recursive: true, force: true })
  expect(left).toEqual([])
})

const look = (): ReturnType<typeof hostState> => hostState({ roots: [join(home, 'runs'), join(home, 'logs')] })

/** A machine that no run had before, so that there is no snapshot of it yet. */
const newMachine = (): Record<string, string> => ({ append: `never-before=${Date.now()}` })
const coldBoot = (): Record<string, string> => ({ snapshot: 'off' })
const usual = (): Record<string, string> => ({})

/** Each phase, by the line of the log that opens it, and what leads there. */
const phases = [
  ['plan', /Plan/, usual],
  ['tools', /Tools of the host/, usual],
  ['building the image', /Building mini-arm64/, usual],
  ['unpacking the image', /Image in place/, usual],
  ['disk', /Disk, keys and workspace/, usual],
  ['QEMU', /Start QEMU/, coldBoot],
  ['boot', /Boot Mini/, coldBoot],
  ['setup', /Set up the guest/, coldBoot],
  ['boot of a Pi to be kept', /Boot Mini/, newMachine],
  ['saving it', /Save the booted Pi/, newMachine],
  ['continuing one', /Continue the booted Pi/, usual],
  ['run', /^script runs$/m, usual],
  ['workspace back', /Bring the workspace back/, usual],
  ['power-off', /Switch the Pi off/, usual]
] as const

describe('SIGKILL of main leaves nothing behind once post has run', () => {
  test.each(phases)('in phase: %s', async (name, line, more) => {
    const fresh = name.includes('image')
    if (!fresh) job = await replaceJob()
    await writeFile(join(job.workspace, 'file'), 'x')
    if (name === 'continuing one') {
      const booting = job.step({ board: 'virt', run: 'true' })
      expect((await booting.main()).code).toBe(0)
      await booting.post()
    }
    const before = await look()
    const image = name === 'unpacking the image' ? await toCompressed(await miniImage(), 'xz') : 'mini-arm64'
    const step = job.step({ image, board: 'virt', run: 'echo script runs; sleep 2', ...more() })
    const running = await step.start()
    await running.waitForLog(line, 120_000)
    // Somewhere inside the phase, not always at its first instruction.
    await sleep(Math.random() * (fresh ? 3000 : 300))
    running.kill('SIGKILL')
    await running.done
    expect((await step.post()).code).toBe(0)
    expect(difference(before, await look())).toEqual(unchanged)
    expect((await step.post()).code).toBe(0)
    expect(await readFile(join(job.workspace, 'file'), 'utf8')).toBe('x')
  })

  /** A job on the shared cache, so that only the phases of interest take time. */
  async function replaceJob(): Promise<RunnerJob> {
    await job.dispose()
    return RunnerJob.create({ home: sharedHome })
  }
})

describe('a cancelled job', () => {
  test.each([
    ['mid-boot', 'SIGINT', /Boot Mini/],
    ['mid-script', 'SIGINT', /^script runs$/m],
    ['mid-boot', 'SIGTERM', /Boot Mini/],
    ['mid-script', 'SIGTERM', /^script runs$/m]
  ] as const)('%s, by %s, is torn down by main itself', async (_when, signal, line) => {
    const before = await look()
    const inputs = { board: 'virt', run: 'echo script runs; sleep 100', snapshot: 'off' }
    const step = job.step(inputs, { env: { PI_QEMU_HOME: sharedHome } })
    const running = await step.start()
    await running.waitForLog(line, 120_000)
    const cancelled = Date.now()
    running.kill(signal)
    const { code } = await running.done
    expect(code).toBe(signal === 'SIGINT' ? 130 : 143)
    // The runner's patience before SIGTERM is 7.5 s.
    expect(Date.now() - cancelled).toBeLessThan(7500)
    expect((await step.post()).code).toBe(0)
    expect(difference(before, await look())).toEqual(unchanged)
    expect((await step.post()).code).toBe(0)
  })
})

test('two runs at the same time do not disturb each other', async () => {
  const other = await RunnerJob.create({ home: sharedHome })
  try {
    const before = await look()
    const inputs = { board: 'virt', run: 'echo $NAME > who; sleep 3; cat who' }
    const steps = [
      job.step({ ...inputs, env: 'NAME=first' }, { env: { PI_QEMU_HOME: sharedHome } }),
      other.step({ ...inputs, env: 'NAME=second' })
    ]
    const results = await Promise.all(steps.map(step => step.main()))
    expect(results.map(({ code }) => code)).toEqual([0, 0])
    expect(results.map(({ stdout }) => /^(first|second)$/m.exec(stdout)?.[1])).toEqual(['first', 'second'])
    expect(await readFile(join(job.workspace, 'who'), 'utf8')).toBe('first\n')
    for (const step of steps) await step.post()
    expect(difference(before, await look())).toEqual(unchanged)
  } finally {
    await other.dispose()
  }
})
