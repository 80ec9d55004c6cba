import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { execute, type Report } from '../../src/execute'
import { homeFolders, type Home } from '../../src/host/paths'
import type { OutputName, RawInputs } from '../../src/inputs'
import { logsOf } from '../../src/journal'
import { BadInput, BootFailure, HostFailure, TimeLimit } from '../../src/report/errors'
import type { Context } from '../../src/boot'
import { RecordedLog } from './recorded-log'
import { scratchFolder } from './scratch'

const scratch = scratchFolder()

// Each run listens for the signals that would end it.
afterEach(() => {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(signal)
})

type Work = (context: Context) => Promise<Pick<Report, 'outcome' | 'exitCode' | 'signal'>>
const success = { outcome: 'success', exitCode: 0, signal: undefined } as const
const fine: Work = () => Promise.resolve(success)

interface Ran {
  readonly report: Report
  readonly log: RecordedLog
  readonly outputs: ReadonlyMap<OutputName, string>
  readonly home: Home
  /** The run's folder, if it came to that. */
  readonly folder: string | undefined
}

/** A run whose work is done by the test. */
async function ran(work: Work, raw: RawInputs = {}, keepLogs: 'always' | 'on-failure' = 'on-failure'): Promise<Ran> {
  delete process.env['GITHUB_STATE']
  const env = { PI_QEMU_HOME: scratch.fresh() }
  const log = new RecordedLog()
  const outputs = new Map<OutputName, string>()
  const seen: { folder?: string } = {}
  const report = await execute({
    ...{ raw, env, workspace: '/work/project', log, keepLogs, hasPost: false },
    output: (name, value) => outputs.set(name, value),
    started: folder => (seen.folder = folder),
    work: (_, context) => work(context)
  })
  return { report, log, outputs, home: homeFolders(env), folder: seen.folder }
}

describe('how a run ends', () => {
  test.each<[string, Work, Pick<Report, 'outcome' | 'exitCode'>, string | undefined]>([
    ['a script that succeeds', fine, { outcome: 'success', exitCode: 0 }, undefined],
    [
      'a script that fails has its own status',
      () => Promise.resolve({ outcome: 'script-failed', exitCode: 7, signal: undefined }),
      { outcome: 'script-failed', exitCode: 7 },
      undefined
    ],
    [
      'a script past its time',
      () => Promise.resolve({ outcome: 'timeout', exitCode: 124, signal: 'TERM' }),
      { outcome: 'timeout', exitCode: 124 },
      undefined
    ],
    [
      'a boot past its time',
      () => Promise.reject(new TimeLimit({ symptom: 'too slow' })),
      { outcome: 'timeout', exitCode: 124 },
      'too slow'
    ],
    [
      'a boot that fails',
      () => Promise.reject(new BootFailure({ symptom: 'dark', cause: 'no light' })),
      { outcome: 'boot-failed', exitCode: 125 },
      'dark\nCause: no light'
    ],
    [
      'a host that cannot',
      () => Promise.reject(new HostFailure({ symptom: 'full' })),
      { outcome: 'host-failed', exitCode: 125 },
      'full'
    ],
    [
      'a request that turns out wrong late',
      () => Promise.reject(new BadInput(['input `user` is wrong'])),
      { outcome: 'bad-input', exitCode: 125 },
      'input `user` is wrong'
    ]
  ])('%s', async (_, work, { outcome, exitCode }, failure) => {
    const { report, log, outputs } = await ran(work)
    expect({ outcome: report.outcome, exitCode: report.exitCode, failure: report.failure }).toEqual({
      ...{ outcome, exitCode, failure }
    })
    expect(log.of('error')).toEqual(failure === undefined ? [] : [failure])
    expect([outputs.get('outcome'), outputs.get('exit-code')]).toEqual([outcome, String(exitCode)])
  })

  test('an error that nobody foresaw is a fault of ours, shown with its stack', async () => {
    const { report } = await ran(() => Promise.reject(new TypeError('x is undefined')))
    expect([report.outcome, report.exitCode]).toEqual(['host-failed', 125])
    expect(report.failure).toMatch(/^TypeError: x is undefined\n\s+at /)
  })

  test('the durations of its phases are an output, even of one that failed', async () => {
    const { outputs } = await ran(async ({ phases }) => {
      await phases.run('plan', 'Plan', () => Promise.resolve())
      return phases.run('boot', 'Boot', () => Promise.reject(new BootFailure({ symptom: 'dark' })))
    })
    expect(Object.keys(JSON.parse(outputs.get('timings') ?? '') as object)).toEqual(['plan', 'boot'])
  })
})

describe('a wrong request', () => {
  test('starts nothing: no work, no folder', async () => {
    let worked = false
    const { report, home, folder } = await ran(
      () => {
        worked = true
        return fine({} as Context)
      },
      { board: 'raspi5', cpus: 'x' }
    )
    expect([report.outcome, report.exitCode, worked, folder]).toEqual(['bad-input', 125, false, undefined])
    expect(report.failure).toMatch(/^2 inputs are wrong:/)
    expect(existsSync(home.runs)).toBe(false)
  })
})

describe('what is left of a run', () => {
  const withLog: Work = ({ journal }) => {
    writeFileSync(join(journal.logs, 'serial0.log'), 'x')
    return Promise.resolve(success)
  }

  test('is nothing when it went well', async () => {
    const { home, log } = await ran(withLog)
    expect([readdirSync(home.runs), readdirSync(home.logs), log.of('warn')]).toEqual([[], [], []])
  })

  test('is its logs when it failed', async () => {
    const { home, folder = '' } = await ran(async context => {
      await withLog(context)
      throw new BootFailure({ symptom: 'dark' })
    })
    expect([readdirSync(home.runs), readdirSync(logsOf(folder))]).toEqual([[], ['serial0.log']])
  })

  test('is its logs when later steps may want them', async () => {
    const { home, folder = '' } = await ran(withLog, {}, 'always')
    expect([readdirSync(home.runs), readdirSync(logsOf(folder))]).toEqual([[], ['serial0.log']])
  })

  test('is all of it when the Pi stays up', async () => {
    const { folder = '' } = await ran(context => {
      context.journal.record({ kind: 'kept' })
      return withLog(context)
    })
    expect([existsSync(folder), existsSync(logsOf(folder))]).toEqual([true, true])
  })

  test('is nothing of a Pi that was to stay up, but did not come up', async () => {
    const { home } = await ran(() => Promise.reject(new BootFailure({ symptom: 'dark' })), { 'keep-running': 'true' })
    expect(readdirSync(home.runs)).toEqual([])
  })
})

test('a signal that the work takes is left to the work; the next one is not', async () => {
  const exited = new Promise(resolve => {
    jest.spyOn(process, 'exit').mockImplementation(code => {
      resolve(code)
      return undefined as never
    })
  })
  const taken: string[] = []
  const env = { PI_QEMU_HOME: scratch.fresh() }
  const running = execute({
    ...{ raw: {}, env, workspace: '/work/project', log: new RecordedLog(), keepLogs: 'on-failure', hasPost: false },
    output: () => undefined,
    onSignal: name => taken.push(name) === 1,
    work: async () => {
      process.emit('SIGTERM')
      await new Promise(resolve => setImmediate(resolve))
      return success
    }
  })
  expect([(await running).exitCode, taken]).toEqual([0, ['SIGTERM']])
  void execute({
    ...{ raw: {}, env, workspace: '/work/project', log: new RecordedLog(), keepLogs: 'on-failure', hasPost: false },
    output: () => undefined,
    onSignal: name => taken.push(name) === 2,
    work: () => {
      process.emit('SIGTERM')
      process.emit('SIGINT')
      return new Promise(() => undefined)
    }
  })
  expect([await exited, taken]).toEqual([130, ['SIGTERM', 'SIGTERM', 'SIGINT']])
  jest.restoreAllMocks()
})

describe('the report of a run', () => {
  const told = (folder: string, name: string): string => readFileSync(join(folder, name), 'utf8')

  test('has what the outputs have, and the logs, though those are gone', async () => {
    const folder = join(scratch.fresh(), 'report')
    const { outputs, report, home } = await ran(
      async ({ journal, phases, log, output, record }) => {
        writeFileSync(join(journal.logs, 'serial0.log'), 'x')
        output('qemu-version', '7.2')
        record.note({ board: 'Raspberry Pi 3' })
        await phases.run('boot', 'Boot', () => Promise.resolve())
        phases.note('boot', 0.25, 'Boot once more')
        log.warn('it is cold')
        return success
      },
      { 'report-dir': folder }
    )
    expect(readdirSync(folder).sort()).toEqual(['serial0.log', 'summary.md', 'timings.json'])
    expect(told(folder, 'timings.json')).toBe(`${outputs.get('timings') ?? ''}\n`)
    expect(told(folder, 'summary.md')).toMatch(/Board:\*\* Raspberry Pi 3\n- \*\*QEMU:\*\* 7\.2[\s\S]*- it is cold\n/)
    expect(report.warnings).toEqual(['it is cold'])
    expect(readdirSync(home.logs)).toEqual([])
  })

  test('says why a run failed', async () => {
    const folder = join(scratch.fresh(), 'report')
    const failing: Work = () => Promise.reject(new BootFailure({ symptom: 'dark', cause: 'no light' }))
    await ran(failing, { 'report-dir': folder })
    expect(told(folder, 'failure.txt')).toBe('dark\nCause: no light\n')
    expect(told(folder, 'summary.md')).toContain('```text\ndark\nCause: no light\n```')
  })

  test('that cannot be written is a warning, and the result stands', async () => {
    const folder = scratch.fresh()
    const { log, report } = await ran(
      () => {
        writeFileSync(join(folder, 'report'), 'in the way')
        return Promise.resolve(success)
      },
      { 'report-dir': join(folder, 'report') }
    )
    expect([report.outcome, log.of('warn')]).toEqual([
      'success',
      [expect.stringMatching(/^The report could not be written: /)]
    ])
  })
})

describe('a known trouble in what a script says', () => {
  const saying =
    (outcome: 'success' | 'script-failed'): Work =>
    ({ stderr }) => {
      stderr(Buffer.from('tar: No space left on device\n'))
      return Promise.resolve({ outcome, exitCode: outcome === 'success' ? 0 : 1, signal: undefined })
    }
  let written: jest.SpyInstance
  beforeEach(() => {
    written = jest.spyOn(process.stderr, 'write').mockReturnValue(true)
  })
  afterEach(() => {
    written.mockRestore()
  })

  test('is a hint where the script failed', async () => {
    const { report } = await ran(saying('script-failed'), { run: 'tar' })
    expect([report.failure, report.hint]).toEqual([undefined, expect.stringMatching(/^Known trouble: .* is full/)])
    expect(written).toHaveBeenCalledWith(Buffer.from('tar: No space left on device\n'))
  })

  test('is none where it succeeded', async () => {
    expect((await ran(saying('success'), { run: 'tar' })).report.hint).toBeUndefined()
  })
})

test('a signal decides the status, even if its teardown makes the work fail before it is done', async () => {
  const ended = jest.fn()
  const exited = new Promise(resolve => {
    jest.spyOn(process, 'exit').mockImplementation(code => {
      resolve(code)
      return undefined as never
    })
  })
  void ran(() => {
    process.emit('SIGINT')
    return Promise.reject(new BootFailure({ symptom: 'QEMU ended while the script was running' }))
  }).then(ended)
  expect(await exited).toBe(130)
  expect(ended).not.toHaveBeenCalled()
  jest.restoreAllMocks()
})
