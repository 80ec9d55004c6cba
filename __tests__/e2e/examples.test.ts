import { join } from 'node:path'
import { DockerEngine } from '../kit/docker-engine'
import { dockerTraces, type DockerTraces } from '../kit/docker-traces'
import { difference, hostState, unchanged } from '../kit/host-state'
import { repository, RunnerJob } from '../kit/runner'
import { readWorkflows, type Combination, type Workflow, type WorkflowJob } from '../kit/workflow-file'
import { failures, runWorkflowJob, type JobReport } from '../kit/workflow-runner'

/** Debian's images take some minutes on a machine that has none yet. */
jest.setTimeout(1_500_000)

interface Example {
  readonly title: string
  readonly workflow: Workflow
  readonly job: WorkflowJob
  readonly matrix: Combination
}

/** Of a matrix, one combination stands for the others; which boards and releases boot is tested elsewhere. */
const tried: Readonly<Record<string, Combination>> = {
  'example-matrix.yml': { image: 'debian-arm64:bookworm', board: 'virt' }
}

const examples: readonly Example[] = readWorkflows(join(repository, '.github/workflows'), /^example-.*\.yml$/).flatMap(
  workflow =>
    workflow.jobs.map(job => {
      const matrix = tried[workflow.file] ?? {}
      if (!job.combinations.some(one => JSON.stringify(one) === JSON.stringify(matrix)))
        throw new Error(`${workflow.file} has no combination ${JSON.stringify(matrix)} any more`)
      return { title: `${workflow.file}, job ${job.name}`, workflow, job, matrix }
    })
)

/** Those that ask a container engine for something. */
const needsEngine = ({ job }: Example): boolean =>
  job.steps.some(({ with: inputs, run = '' }) => 'container' in inputs || 'build' in inputs || /\bdocker\b/.test(run))

/** Runs an example from its checkout to its last post: every step succeeds, and nothing is left. */
async function expectToWork({ workflow, job, matrix }: Example, env: Readonly<Record<string, string>>): Promise<void> {
  const before = await hostState({ roots: [] })
  const runner = await RunnerJob.create({ env })
  let report: JobReport | undefined
  try {
    report = await runWorkflowJob(workflow, job, matrix, runner)
    expect(failures(report)).toEqual([])
    const skipped = report.steps.filter(({ outcome }) => outcome === 'skipped').map(({ step }) => step.if)
    // What is for a failure is not run when there is none; everything else is.
    expect(skipped.filter(condition => condition !== 'failure()')).toEqual([])
    expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  } finally {
    expect(await runner.dispose()).toEqual([])
  }
}

test.each(examples.filter(one => !needsEngine(one)).map(one => [one.title, one] as const))(
  '%s: every step works',
  async (_, example) => expectToWork(example, {})
)

describe('with a container engine', () => {
  let engine: DockerEngine
  let traces: DockerTraces
  beforeAll(async () => {
    traces = await dockerTraces()
    engine = await DockerEngine.start({ mirrorsHub: true })
    await engine.loadBases(['arm64', 'armhf'])
    await engine.serveAsHubs('library/debian:bookworm-slim')
  })
  afterAll(async () => {
    await engine.stop()
    expect(await dockerTraces()).toEqual(traces)
  })

  test.each(examples.filter(needsEngine).map(one => [one.title, one] as const))(
    '%s: every step works',
    async (_, example) => expectToWork(example, engine.env)
  )
})
