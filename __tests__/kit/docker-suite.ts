import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BaseArchitecture } from './docker-bases'
import { DockerEngine } from './docker-engine'
import { dockerTraces, type DockerTraces } from './docker-traces'
import { difference, hostState, unchanged, type HostState } from './host-state'
import { RunnerJob } from './runner'
import type { RunnerStep } from './runner-step'
import type { StepResult } from './running-step'

type Words = Readonly<Record<string, string>>

/** What the tests of a file share: an engine with base images, a home for runs, and for each test a job. */
export interface DockerSuite {
  readonly engine: DockerEngine
  readonly job: RunnerJob
  /** What of ours there is on the host, with runs and builders. */
  readonly host: () => Promise<HostState>
  /** A step in user mode. */
  readonly step: (inputs: Words, env?: Words) => RunnerStep
  /** Main, and post; nothing of the run may be left on the host, nor a container in the engine. */
  readonly whole: (inputs: Words, env?: Words) => Promise<StepResult>
}

/** How long (ms) an engine may take to clear up after a client that died. */
const patience = 20_000
/** ms: a new machine makes an engine and roots for several architectures first. */
const firstTime = 1_800_000

/** The difference to how the host was, once it is the same, or the engine had time enough. */
export async function differenceAtRest(
  before: HostState,
  host: () => Promise<HostState>
): Promise<ReturnType<typeof difference>> {
  const deadline = Date.now() + patience
  for (;;) {
    const found = difference(before, await host())
    if (found.added.length + found.removed.length === 0 || Date.now() > deadline) return found
    await sleep(200)
  }
}

/**
 * Sets all of it up around the tests of this file; at the end the host has to be as before the engine came.
 * @param usual inputs of every step
 */
export function dockerSuite(architectures: readonly BaseArchitecture[], usual: Words = {}): DockerSuite {
  let engine: DockerEngine
  let job: RunnerJob
  let home: string
  let bare: { readonly traces: DockerTraces; readonly host: HostState }

  beforeAll(async () => {
    bare = { traces: await dockerTraces(), host: await hostState({ roots: [] }) }
    engine = await DockerEngine.start()
    await engine.loadBases(architectures)
    home = await mkdtemp(join(tmpdir(), 'pi-qemu-test-home-'))
    await mkdir(join(home, 'runs')) // it stays, empty
  }, firstTime)
  afterAll(async () => {
    await engine.stop()
    await rm(home, { recursive: true, force: true })
    expect(await dockerTraces()).toEqual(bare.traces)
    expect(difference(bare.host, await hostState({ roots: [] }))).toEqual(unchanged)
  })
  beforeEach(async () => {
    job = await RunnerJob.create({ home, env: engine.env })
  })
  afterEach(async () => {
    expect(await job.dispose()).toEqual([])
  })

  const host = (): Promise<HostState> => hostState({ roots: [join(home, 'runs'), engine.buildersFolder] })
  const step = (inputs: Words, env: Words = {}): RunnerStep => job.step({ mode: 'user', ...usual, ...inputs }, { env })
  return {
    get engine() {
      return engine
    },
    get job() {
      return job
    },
    host,
    step,
    whole: async (inputs, env) => {
      const [before, containers] = [await host(), await engine.containers()]
      const one = step(inputs, env)
      const result = await one.main()
      expect((await one.post()).code).toBe(0)
      expect(difference(before, await host())).toEqual(unchanged)
      expect(await engine.containers()).toEqual(containers)
      return result
    }
  }
}
