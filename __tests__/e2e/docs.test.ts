import { spawn } from 'node:child_process'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { asScript, documentation, missingLines, type DocsBlock } from '../kit/docs-blocks'
import { fixtures, type Place } from '../kit/docs-fixtures'
import { shownYaml } from '../kit/docs-steps'
import { difference, hostState, unchanged } from '../kit/host-state'
import { repository, RunnerJob, sharedHome } from '../kit/runner'
import { failures, runWorkflowJob } from '../kit/workflow-runner'

/** Debian's images take some minutes on a machine that has none yet. */
jest.setTimeout(1_500_000)

const toRun = documentation().flatMap(block =>
  block.marker?.kind === 'run' ? [{ ...block, marker: block.marker, title: `${block.file}:${block.line}` }] : []
)
type Runnable = (typeof toRun)[number]

let scratch: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-docs-'))
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

/** Runs the commands as a user would who has `pi-qemu` on the PATH, in a folder with what the block needs. */
async function runCommands({ text, marker }: Runnable): Promise<{ code: number | null; output: string }> {
  const [folder, bin, user] = ['work', 'bin', 'user'].map(name => join(scratch, name)) as [string, string, string]
  for (const dir of [folder, bin, user]) await mkdir(dir)
  const program = `#!/bin/sh\nexec '${process.execPath}' '${repository}/dist/cli/index.js' "$@"\n`
  await writeFile(join(bin, 'pi-qemu'), program, { mode: 0o755 })
  let place: Place = { folder }
  for (const name of marker.needs) place = { ...place, ...(await fixtures[name]?.(folder)) }
  const child = spawn('bash', ['-e', '-c', asScript(text)], {
    cwd: place.start ?? folder,
    env: {
      PATH: `${bin}:${process.env['PATH'] ?? ''}`,
      HOME: user,
      LC_ALL: 'C.UTF-8',
      PI_QEMU_HOME: place.home ?? sharedHome
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (part: string) => (output += part))
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  return { code, output }
}

/** Runs the steps as a workflow's, with some inputs replaced where the example's own would take too long. */
async function runSteps(block: Runnable & DocsBlock): Promise<readonly string[]> {
  const job = await RunnerJob.create()
  try {
    const own = (name: string, value: string): string => block.marker.inputs[name] ?? value
    const steps = shownYaml(block).steps.map(step => {
      if (step.uses !== './') return step
      return {
        ...step,
        with: Object.fromEntries(Object.entries(step.with).map(([name, value]) => [name, own(name, value)]))
      }
    })
    const shown = { name: 'shown', env: {}, steps, combinations: [{}] }
    return failures(await runWorkflowJob({ env: {} }, shown, {}, job))
  } finally {
    expect(await job.dispose()).toEqual([])
  }
}

describe('documentation', () => {
  const commands = toRun.filter(({ language }) => language === 'sh')
  test.each(commands.map(block => [block.title, block] as const))('%s: the commands work', async (_, block) => {
    const before = await hostState({ roots: [] })
    const { code, output } = await runCommands(block)
    expect([code, output.slice(-4000)]).toEqual([0, expect.any(String)])
    expect([missingLines(block.output, output), output.slice(-4000)]).toEqual([[], expect.any(String)])
    expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  })

  const steps = toRun.filter(({ language }) => language === 'yaml')
  test.each(steps.map(block => [block.title, block] as const))('%s: the steps work', async (_, block) => {
    const before = await hostState({ roots: [] })
    expect(await runSteps(block)).toEqual([])
    expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  })
})
