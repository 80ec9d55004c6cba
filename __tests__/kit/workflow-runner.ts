import { existsSync } from 'node:fs'
import { copyFile, mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { run } from './run'
import { repository, type RunnerJob } from './runner'
import type { RunnerStep } from './runner-step'
import type { StepResult } from './running-step'
import { shellStep } from './shell-step'
import { evaluateExpression, interpolate, isTruthy, type Contexts, type Functions } from './workflow-expressions'
import type { Combination, Workflow, WorkflowJob, WorkflowStep } from './workflow-file'

/** How a step ended. */
export interface StepReport {
  readonly step: WorkflowStep
  readonly outcome: 'success' | 'failure' | 'skipped'
  /** Exit status; null without one. */
  readonly code: number | null
  readonly log: string
  readonly outputs: Readonly<Record<string, string>>
  readonly summary: string
}

/** How a job ended. */
export interface JobReport {
  readonly steps: readonly StepReport[]
  /** What its post steps gave, the last step's first. */
  readonly posts: readonly StepResult[]
  readonly outcome: 'success' | 'failure'
}

type Ending = Omit<StepReport, 'step' | 'outcome'>
type Words = Readonly<Record<string, string>>

/** What is known of other actions than ours, by name without their version: each is done by hand. */
const actions: Readonly<Record<string, (job: RunnerJob, inputs: Words) => Promise<Ending>>> = {
  'actions/checkout': async ({ workspace }) => {
    const listed = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
      cwd: repository
    })
    const files = listed.split('\0').filter(name => name !== '' && existsSync(join(repository, name)))
    for (const name of files) {
      await mkdir(dirname(join(workspace, name)), { recursive: true })
      await copyFile(join(repository, name), join(workspace, name))
    }
    return ended(0, `${files.length} files`)
  },
  'actions/upload-artifact': ({ workspace, userHome }, { path = '', 'if-no-files-found': missing = 'warn' }) => {
    const file = resolve(workspace, path.replace(/^~(?=\/)/, userHome))
    const isLost = missing === 'error' && !existsSync(file)
    return Promise.resolve(isLost ? ended(1, `no files were found with the provided path: ${path}`) : ended(0, file))
  }
}

const ended = (code: number, log: string): Ending => ({ code, log, outputs: {}, summary: '' })

/** Names of the actions that {@link runWorkflowJob} knows, besides `./`. */
export const knownActions: readonly string[] = Object.keys(actions)

/**
 * Runs a job of a workflow, step by step and then post by post, as the runner would. `uses: ./` is the action of `job`.
 * @throws if a step is one that cannot be run here
 */
export async function runWorkflowJob(
  { env }: Pick<Workflow, 'env'>,
  workflowJob: WorkflowJob,
  matrix: Combination,
  job: RunnerJob
): Promise<JobReport> {
  const own = { ...env, ...workflowJob.env }
  job.export(evaluated(own, contextsOf(job, matrix, {}, own), {}), [])
  const done: StepReport[] = []
  const started: RunnerStep[] = []
  let failed = false
  for (const step of workflowJob.steps) {
    const contexts = contextsOf(job, matrix, outputsOf(done), job.environment())
    const functions: Functions = { success: () => !failed, failure: () => failed, always: () => true }
    if (!shallRun(step.if, contexts, functions)) {
      done.push({ step, outcome: 'skipped', ...ended(0, ''), code: null })
      continue
    }
    const ending = await runStep(step, { job, contexts, functions, started })
    const outcome = ending.code === 0 ? 'success' : 'failure'
    done.push({ step, outcome, ...ending })
    if (outcome === 'failure' && !step.continueOnError) failed = true
  }
  const posts: StepResult[] = []
  for (const step of started.reverse()) posts.push(await step.post())
  return { steps: done, posts, outcome: failed || posts.some(({ code }) => code !== 0) ? 'failure' : 'success' }
}

/** A condition that asks for no status of its own has `success()` in front of it. */
function shallRun(condition: string | undefined, contexts: Contexts, functions: Functions): boolean {
  const text = /^\s*\$\{\{(.*)\}\}\s*$/s.exec(condition ?? '')?.[1] ?? condition ?? 'true'
  const asks = /\b(success|failure|always|cancelled)\s*\(/.test(text)
  return isTruthy(evaluateExpression(asks ? text : `success() && (${text})`, contexts, functions))
}

interface Around {
  readonly job: RunnerJob
  readonly contexts: Contexts
  readonly functions: Functions
  /** Steps of ours, whose posts are still to come. */
  readonly started: RunnerStep[]
}

async function runStep(step: WorkflowStep, { job, contexts, functions, started }: Around): Promise<Ending> {
  const value = (text: string): string => interpolate(text, contexts, functions)
  const env = evaluated(step.env, contexts, functions)
  const withEnv: Contexts = { ...contexts, env: { ...job.environment(), ...env } }
  if (step.uses === undefined) return runScript(step, { job, contexts: withEnv, functions, started }, env)
  const inputs = evaluated(step.with, withEnv, functions)
  if (step.uses === './') {
    const one = job.step(inputs, { env })
    if (one.unexpectedInputs.length > 0) throw new Error(`inputs that do not exist: ${one.unexpectedInputs.join(', ')}`)
    started.push(one)
    return one.main()
  }
  const act = actions[value(step.uses).replace(/@.*/, '')]
  if (act === undefined) throw new Error(`there is no way to run \`uses: ${step.uses}\` here`)
  return act(job, inputs)
}

function runScript(step: WorkflowStep, { job, contexts, functions }: Around, env: Words): Promise<Ending> {
  const value = (text: string): string => interpolate(text, contexts, functions)
  return shellStep(job, {
    ...(step.shell !== undefined && { shell: value(step.shell) }),
    ...{ run: value(step.run ?? ''), env, workingDirectory: resolve(job.workspace, value(step.workingDirectory ?? '')) }
  })
}

const evaluated = (values: Words, contexts: Contexts, functions: Functions): Words =>
  Object.fromEntries(Object.entries(values).map(([name, text]) => [name, interpolate(text, contexts, functions)]))

function contextsOf(job: RunnerJob, matrix: Combination, steps: Contexts, env: Words): Contexts {
  const variables = job.environment()
  const named = (prefix: string): Words =>
    Object.fromEntries(
      Object.entries(variables)
        .filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length).toLowerCase(), value])
    )
  return { matrix, steps, env, github: { ...named('GITHUB_'), token: 'test-token' }, runner: named('RUNNER_') }
}

function outputsOf(done: readonly StepReport[]): Contexts {
  const named = done.flatMap(({ step: { id }, outputs, outcome }) =>
    id === undefined ? [] : [[id, { outputs, outcome, conclusion: outcome }] as const]
  )
  return Object.fromEntries(named)
}

/** What a report says of the steps that failed, for the message of a test. */
export function failures({ steps, posts }: JobReport): readonly string[] {
  const ofSteps = steps
    .filter(({ outcome }) => outcome === 'failure')
    .map(({ step, code, log }) => `${step.name} ended with ${String(code)}:\n${log.slice(-4000)}`)
  const ofPosts = posts.filter(({ code }) => code !== 0).map(({ log }) => `a post failed:\n${log.slice(-2000)}`)
  return [...ofSteps, ...ofPosts]
}
