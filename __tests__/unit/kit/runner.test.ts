import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { RunnerJob } from '../../kit/runner'
import { fakeAction } from './fake-action'

let action: string
let home: string
let job: RunnerJob

beforeAll(async () => {
  action = await fakeAction()
  home = await mkdtemp(join(tmpdir(), 'pi-qemu-test-home-'))
})
beforeEach(async () => {
  job = await RunnerJob.create({ action, home, env: { FROM_WORKFLOW: 'yes' } })
})
afterEach(() => job.dispose())
afterAll(async () => {
  for (const folder of [action, home]) await rm(folder, { recursive: true })
})

const printEnvironment = 'console.log(JSON.stringify(process.env))'
const environmentIn = (stdout: string): Record<string, string> => JSON.parse(stdout) as Record<string, string>
const forever = "setInterval(() => {}, 1000); console.log('waiting')"

it('gives inputs as variables: given ones, defaults, and expressions in defaults', async () => {
  const { stdout } = await job.step({ run: printEnvironment, 'with space': 'a b', 'memory-size': '1024' }).main()
  expect(environmentIn(stdout)).toMatchObject({
    INPUT_IMAGE: 'mini',
    'INPUT_MEMORY-SIZE': '1024',
    INPUT_WITH_SPACE: 'a b',
    INPUT_TOKEN: 'test-token'
  })
})

it('gives a step nothing of the environment the test runs in, except PATH', async () => {
  process.env['SOMETHING_OF_THE_DEVELOPER'] = '1'
  const { stdout } = await job.step({ run: printEnvironment }).main()
  delete process.env['SOMETHING_OF_THE_DEVELOPER']
  const names = Object.keys(environmentIn(stdout))
  const allowed = /^(PATH|HOME|CI|PI_QEMU_HOME|FROM_WORKFLOW|(GITHUB|RUNNER|INPUT)_.*)$/
  expect(names.filter(name => !allowed.test(name))).toEqual([])
  expect(environmentIn(stdout)).toMatchObject({
    HOME: job.userHome,
    GITHUB_WORKSPACE: job.workspace,
    FROM_WORKFLOW: 'yes'
  })
})

it('runs a step in the workspace and reads status, streams, outputs, state and summary', async () => {
  const run = `
    save('GITHUB_OUTPUT', 'answer', 'two\\nlines')
    fs.appendFileSync(process.env.GITHUB_OUTPUT, 'plain=x=y\\n')
    save('GITHUB_STATE', 'pid', '42')
    fs.appendFileSync(process.env.GITHUB_STEP_SUMMARY, '# Title\\n')
    console.log(process.cwd()); console.error('trouble'); process.exitCode = 3`
  const result = await job.step({ run }).main()
  expect(result).toMatchObject({
    ...{ code: 3, signal: null, stdout: `${job.workspace}\n`, stderr: 'trouble\n', outputHeldOpen: false },
    outputs: { answer: 'two\nlines', plain: 'x=y' },
    ...{ state: { pid: '42' }, summary: '# Title\n' }
  })
})

it('refuses command files that the runner refuses', async () => {
  const step = job.step({ run: "fs.appendFileSync(process.env.GITHUB_OUTPUT, 'no value\\n')" })
  await expect(step.main()).rejects.toThrow("Invalid format 'no value'")
  const open = job.step({ run: "fs.appendFileSync(process.env.GITHUB_OUTPUT, 'a<<END\\nb\\n')" })
  await expect(open.main()).rejects.toThrow('Matching delimiter not found')
})

it('hands exported variables and paths to later steps', async () => {
  await job
    .step({ run: "save('GITHUB_ENV', 'PI', 'up'); fs.appendFileSync(process.env.GITHUB_PATH, '/opt/pi\\n')" })
    .main()
  const { stdout } = await job.step({ run: printEnvironment }).main()
  const { PI, PATH } = environmentIn(stdout)
  expect(PI).toBe('up')
  expect(PATH).toMatch(/^\/opt\/pi:/)
})

it('runs post with main’s state, also when main was killed, and again', async () => {
  const step = job.step({
    run: `save('GITHUB_STATE', 'pid', '42'); ${forever}`,
    cleanup: 'console.log(process.env.STATE_pid)'
  })
  const running = await step.start()
  await running.waitForLog(/^waiting$/m, 5000)
  running.kill('SIGKILL')
  expect(await running.done).toMatchObject({ code: null, signal: 'SIGKILL' })
  expect((await step.post()).stdout).toBe('42\n')
  expect((await step.post()).stdout).toBe('42\n')
})

it('cancels with SIGINT alone when main obeys', async () => {
  const running = await job.step({ run: `process.on('SIGINT', () => process.exit(7)); ${forever}` }).start()
  await running.waitForLog(/waiting/, 5000)
  expect(await job.cancel(running)).toMatchObject({ code: 7, signal: null })
})

it('cancels with SIGTERM and SIGKILL when main does not', async () => {
  const run = `for (const s of ['SIGINT', 'SIGTERM']) process.on(s, () => console.log(s)); ${forever}`
  const running = await job.step({ run }).start()
  await running.waitForLog(/waiting/, 5000)
  const result = await job.cancel(running, { term: 200, kill: 200 })
  expect(result).toMatchObject({ signal: 'SIGKILL', stdout: 'waiting\nSIGINT\nSIGTERM\n' })
})

it('tells why a line did not come: the step ended, or time is over', async () => {
  const ended = await job.step({ run: "console.log('short')" }).start()
  await expect(ended.waitForLog(/never/, 5000)).rejects.toThrow(/the step ended[^]*short/)
  const running = await job.step({ run: forever }).start()
  await expect(running.waitForLog(/never/, 200)).rejects.toThrow('200 ms are over')
  running.kill('SIGKILL')
  await running.done
})

it('reads workflow commands, masks what it is told to, and stops reading them when told', async () => {
  const run = String.raw`process.stdout.write([
    'secret before', '::add-mask::secret', 'the secret', '::error file=a%2Cb.sh,line=3::went%0Awrong 100%25', '::group::Boot',
    '::stop-commands::t0k3n', '::error::not one', '::t0k3n::', '::endgroup::'].join('\n'))`
  const step = job.step({ run })
  const { log } = await step.main()
  expect(step.commands).toMatchObject([
    { name: 'add-mask', message: 'secret' },
    { name: 'error', properties: { file: 'a,b.sh', line: '3' }, message: 'went\nwrong 100%' },
    { name: 'group', message: 'Boot' },
    { name: 'stop-commands' },
    { name: 'endgroup' }
  ])
  expect(log).toMatch(/^secret before\nthe \*\*\*\n/)
})

it('names inputs that action.yml does not know', () => {
  expect(job.step({ run: '', imgae: 'x' }).unexpectedInputs).toEqual(['imgae'])
})

it('finds and ends what a step left running', async () => {
  const run = "require('node:child_process').spawn('sleep', ['60'], { detached: true, stdio: 'ignore' }).unref()"
  expect(await job.step({ run }).main()).toMatchObject({ code: 0, outputHeldOpen: false })
  expect(await job.dispose()).toEqual([expect.stringMatching(/^\d+ sleep 60$/)])
  expect(await job.orphans()).toEqual([])
})
