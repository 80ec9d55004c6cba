import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RunnerJob } from '../../kit/runner'
import { parseWorkflow, type Workflow } from '../../kit/workflow-file'
import { failures, runWorkflowJob, type JobReport } from '../../kit/workflow-runner'
import { fakeAction } from './fake-action'

let action: string
let home: string
let job: RunnerJob
beforeAll(async () => {
  action = await fakeAction()
  home = await mkdtemp(join(tmpdir(), 'pi-qemu-test-home-'))
})
beforeEach(async () => {
  job = await RunnerJob.create({ action, home })
})
afterEach(() => job.dispose())
afterAll(async () => {
  for (const folder of [action, home]) await rm(folder, { recursive: true })
})

const workflow = (steps: string, more = ''): Workflow =>
  parseWorkflow(
    'test.yml',
    `env: { FROM_WORKFLOW: w, BOTH: w }\njobs:\n  one:\n    env: { BOTH: j }\n${more}    steps:\n${steps}`
  )

async function report(steps: string, matrix = {}): Promise<JobReport> {
  const read = workflow(steps)
  const [one] = read.jobs
  if (one === undefined) throw new Error('no job')
  return runWorkflowJob(read, one, matrix, job)
}

describe('a job', () => {
  test("hands outputs, variables and PATH on from step to step, the action's and scripts' alike", async () => {
    const { steps, outcome } = await report(
      `
      - id: first
        uses: ./
        with: { run: "save('GITHUB_OUTPUT', 'answer', '42')" }
      - id: second
        run: |
          echo "sum=\${{ steps.first.outputs.answer }}+\${{ matrix.n }}" >> "$GITHUB_OUTPUT"
          echo "BOTH=later" >> "$GITHUB_ENV"
          mkdir tools; printf '#!/bin/sh\\necho "tool ran $1"' > tools/own; chmod +x tools/own
          echo "$PWD/tools" >> "$GITHUB_PATH"
      - env: { OWN: "\${{ steps.second.outputs.sum }}" }
        run: echo "$OWN $BOTH $FROM_WORKFLOW"; own 1
      - shell: own {0}
        run: whatever
    `,
      { n: 7 }
    )
    expect(steps.map(({ log }) => log)).toEqual([
      '',
      '',
      '42+7 later w\ntool ran 1\n',
      expect.stringMatching(/^tool ran \/.*\n$/)
    ])
    expect(outcome).toBe('success')
  })

  test('has the shells of the runner', async () => {
    const { steps } = await report(`
      - run: false | true; echo "$-"
      - shell: bash
        run: false | true; echo never
      - if: always()
        shell: sh
        run: echo "$0"
    `)
    expect(steps.map(({ code }) => code)).toEqual([0, 1, 0])
    expect(steps[2]?.log).toMatch(/\.sh$/m)
  })

  test('goes on after a failure only where it is asked to', async () => {
    const { steps, outcome } = await report(
      `
      - run: exit 3
        continue-on-error: true
      - run: exit 4
      - run: echo never
      - if: failure() && matrix.n == 1
        run: echo seen
      - if: always()
        run: echo seen
      - if: matrix.n == 1
        run: echo never
    `,
      { n: 1 }
    )
    expect(steps.map(one => one.outcome)).toEqual(['failure', 'failure', 'skipped', 'success', 'success', 'skipped'])
    expect(outcome).toBe('failure')
  })

  test('ends with the posts, the last first, and a post that fails is a failure', async () => {
    const { posts, outcome } = await report(`
      - uses: ./
        with: { run: '1', cleanup: "console.log('first')" }
      - uses: ./
        with: { run: '1', cleanup: "console.log('second'); process.exitCode = 2" }
    `)
    expect(posts.map(({ stdout }) => stdout)).toEqual(['second\n', 'first\n'])
    expect(outcome).toBe('failure')
    const names = failures({ steps: [], posts, outcome })
    expect(names).toEqual([expect.stringContaining('a post failed:\nsecond')])
  })

  test('starts in the folder that it is given, and has the files of the repository after a checkout', async () => {
    const { steps, outcome } = await report(`
      - uses: actions/checkout@0123
      - working-directory: src/boards
        run: pwd; test -e table.ts
    `)
    expect([outcome, steps[1]?.log]).toEqual(['success', `${job.workspace}/src/boards\n`])
    expect(await readFile(join(job.workspace, 'package.json'), 'utf8')).toContain('pi-qemu-action')
  })

  test('fails to upload what is not there', async () => {
    const upload = (path: string): string =>
      `      - uses: actions/upload-artifact@0123\n        with: { path: ${path}, if-no-files-found: error }\n`
    expect((await report(`      - run: touch there\n${upload('there')}`)).outcome).toBe('success')
    expect((await report(upload('missing'))).outcome).toBe('failure')
  })

  test.each([
    ['- uses: someone/something@v1', 'there is no way to run `uses: someone/something@v1` here'],
    ['- uses: ./\n        with: { nonsense: 1 }', 'inputs that do not exist: nonsense'],
    ['- shell: python3\n        run: 1', 'has no {0} for the script'],
    ['- run: echo ${{ nothing.here }}', 'there is no context `nothing` here']
  ])('does not pass over what it does not know: %s', async (step, why) => {
    await expect(report(`      ${step}\n`)).rejects.toThrow(why)
  })
})

describe('the file', () => {
  const combinations = (matrix: string): unknown =>
    workflow('      - run: echo\n', `    strategy: { matrix: ${matrix} }\n`).jobs[0]?.combinations

  test('has one job for each combination of its matrix', () => {
    expect(combinations('{ a: [1, 2], b: [x] }')).toEqual([
      { a: 1, b: 'x' },
      { a: 2, b: 'x' }
    ])
    expect(combinations('{ a: [1, 2], include: [{ a: 2, more: yes }, { a: 3, more: no }] }')).toEqual([
      { a: 1 },
      { a: 2, more: 'yes' },
      { a: 3, more: 'no' }
    ])
    expect(combinations('{ include: [{ a: 1 }, { a: 2 }] }')).toEqual([{ a: 1 }, { a: 2 }])
    expect(workflow('      - run: echo\n').jobs[0]?.combinations).toEqual([{}])
    expect(() => combinations('{ a: [1], exclude: [{ a: 1 }] }')).toThrow('`exclude`')
  })

  test.each([
    ['{ run: a, uses: b }', 'either `uses` or `run`'],
    ['{ name: a }', 'either `uses` or `run`'],
    ['{ run: a, background: true }', 'a step with `background` cannot be run here']
  ])('with the step %s is refused', (step, why) => {
    expect(() => workflow(`      - ${step}\n`)).toThrow(why)
  })
})
