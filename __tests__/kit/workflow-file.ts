import { readFileSync, readdirSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parse } from 'yaml'
import type { Value } from './workflow-expressions'

type Words = Readonly<Record<string, string>>

/** One step of a job; inputs and variables are texts, as the runner takes them. */
export interface WorkflowStep {
  readonly name: string
  readonly id: string | undefined
  readonly if: string | undefined
  readonly uses: string | undefined
  readonly with: Words
  readonly run: string | undefined
  readonly shell: string | undefined
  readonly env: Words
  readonly workingDirectory: string | undefined
  readonly continueOnError: boolean
}

export interface WorkflowJob {
  readonly name: string
  readonly env: Words
  readonly steps: readonly WorkflowStep[]
  /** One for each job that the matrix makes; one empty one without a matrix. */
  readonly combinations: readonly Combination[]
}

/** The context `matrix` of a job. */
export type Combination = Readonly<Record<string, Value>>

export interface Workflow {
  /** Name of the file. */
  readonly file: string
  readonly env: Words
  readonly jobs: readonly WorkflowJob[]
}

/** Keys of a step; one that is not here would be passed over in silence. */
const stepKeys = /^(name|id|if|uses|with|run|shell|env|working-directory|continue-on-error|timeout-minutes)$/

type Node = Readonly<Record<string, unknown>>
const fields = (value: unknown): Node => (typeof value === 'object' && value !== null ? (value as Node) : {})
const text = (value: unknown): string | undefined => {
  if (value === undefined || value === null) return undefined
  return typeof value === 'string' ? value : JSON.stringify(value)
}
const words = (value: unknown): Words =>
  Object.fromEntries(Object.entries(fields(value)).map(([name, entry]) => [name, text(entry) ?? '']))

/**
 * Reads a workflow.
 * @throws on keys of a step that are not known here
 */
export function parseWorkflow(file: string, yaml: string): Workflow {
  const { env, jobs } = fields(parse(yaml))
  return {
    file,
    env: words(env),
    jobs: Object.entries(fields(jobs)).map(([name, job]) => ({
      name,
      env: words(fields(job)['env']),
      steps: ((fields(job)['steps'] ?? []) as readonly unknown[]).map(step => parseStep(fields(step))),
      combinations: combinationsOf(fields(fields(fields(job)['strategy'])['matrix']))
    }))
  }
}

/** Reads one step, from a workflow or from an example in the documentation. */
export function parseStep(step: Node): WorkflowStep {
  const unknown = Object.keys(step).filter(key => !stepKeys.test(key))
  if (unknown.length > 0) throw new Error(`a step with \`${unknown.join('`, `')}\` cannot be run here`)
  const [uses, run] = [text(step['uses']), text(step['run'])]
  if ((uses === undefined) === (run === undefined)) throw new Error('a step has either `uses` or `run`')
  return {
    name: text(step['name']) ?? uses ?? (run ?? '').split('\n')[0] ?? '',
    id: text(step['id']),
    if: text(step['if']),
    uses,
    with: words(step['with']),
    run,
    shell: text(step['shell']),
    env: words(step['env']),
    workingDirectory: text(step['working-directory']),
    continueOnError: step['continue-on-error'] === true
  }
}

/** All combinations of the matrix's lists, extended by `include` as the runner does it; `exclude` is not known. */
function combinationsOf(matrix: Node): readonly Combination[] {
  if ('exclude' in matrix) throw new Error('`exclude` of a matrix is not known here')
  const { include = [], ...lists } = matrix
  let found: readonly Combination[] = [{}]
  for (const [name, values] of Object.entries(lists))
    found = found.flatMap(one => (values as readonly Value[]).map(value => ({ ...one, [name]: value })))
  const own = Object.keys(lists)
  const extra = include as readonly Combination[]
  // An entry that would change a value of the lists is a job of its own; another extends the jobs that it fits.
  const fits = (one: Combination, entry: Combination): boolean =>
    own.every(name => !(name in entry) || one[name] === entry[name])
  const alone = extra.filter(entry => !found.some(one => own.length > 0 && fits(one, entry)))
  const extended = found.map(one => Object.assign({}, one, ...extra.filter(entry => fits(one, entry))) as Combination)
  return [...(own.length > 0 || alone.length === 0 ? extended : []), ...alone]
}

/** The workflows in a folder whose names fit. */
export function readWorkflows(folder: string, name: RegExp): readonly Workflow[] {
  return readdirSync(folder)
    .filter(file => name.test(file))
    .sort()
    .map(file => parseWorkflow(basename(file), readFileSync(join(folder, file), 'utf8')))
}
