import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { collect } from '../../../src/report/collect'
import { fillReport } from '../../../src/report/folder'
import { RunRecord } from '../../../src/report/record'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const read = (...path: readonly string[]): string => readFileSync(join(...path), 'utf8')

test('a report holds the logs of the run, and what is told of it', async () => {
  const logs = scratch.fresh()
  mkdirSync(join(logs, 'prepare'))
  writeFileSync(join(logs, 'serial0.log'), 'boot')
  writeFileSync(join(logs, 'prepare/qemu.log'), '')
  const folder = join(scratch.fresh(), 'out/report')
  await fillReport(folder, { logs, summary: '# x\n', timings: '{"boot":1}', failure: 'dark' })
  expect(readdirSync(folder, { recursive: true }).map(String).sort()).toEqual(
    ['failure.txt', 'prepare', 'prepare/qemu.log', 'serial0.log', 'summary.md', 'timings.json'].sort()
  )
  expect(['serial0.log', 'summary.md', 'timings.json', 'failure.txt'].map(name => read(folder, name))).toEqual([
    ...['boot', '# x\n', '{"boot":1}\n', 'dark\n']
  ])
})

test('what an earlier run left that this one has not goes, and nothing else', async () => {
  const folder = scratch.fresh()
  for (const name of ['failure.txt', 'screen.png', 'boot-plot.svg', 'mine.txt'])
    writeFileSync(join(folder, name), 'old')
  await fillReport(folder, { logs: undefined, summary: '', timings: '{}', failure: undefined })
  expect(readdirSync(folder).sort()).toEqual(['mine.txt', 'summary.md', 'timings.json'])
})

describe('what only a machine that still runs can tell', () => {
  interface Asked {
    readonly logs: string
    readonly log: RecordedLog
    readonly questions: readonly string[]
  }
  const wanted = { reportDir: '/r', bootAnalysis: false, screenshot: false }

  async function collecting(
    changes: Partial<typeof wanted> | { reportDir: undefined },
    { failed = false, alive = true, answer = (text: string): string | undefined => `answer to ${text.length}` } = {}
  ): Promise<Asked> {
    const questions: string[] = []
    const logs = scratch.fresh()
    const log = new RecordedLog()
    const record = new RunRecord()
    const execute = (): Promise<unknown> => Promise.reject(new Error('There is no console to take a screendump from'))
    record.machine = {
      qemu: { qmp: { execute } as never, isAlive: () => alive },
      serial: { poll: () => [], tail: () => [] }
    }
    record.guest = {
      askRoot: text => {
        questions.push(text)
        return Promise.resolve(answer(text))
      }
    }
    const request = { ...wanted, ...changes }
    await collect(request, { logs, record, log }, failed)
    await collect(request, { logs, record, log }, failed)
    return { logs, log, questions }
  }

  test('its journal is asked for once', async () => {
    const { logs, questions, log } = await collecting({})
    expect(questions).toEqual([expect.stringMatching(/journalctl -b -o short-monotonic[\s\S]*dmesg/)])
    expect(readdirSync(logs)).toEqual(['boot-journal.txt'])
    expect(log.of('warn')).toEqual([])
  })

  test('with `boot-analysis`, systemd says more', async () => {
    const { logs, questions } = await collecting({ bootAnalysis: true })
    expect(questions).toHaveLength(5)
    expect(readdirSync(logs).sort()).toEqual(
      ['boot-blame.txt', 'boot-critical-chain.txt', 'boot-journal.txt', 'boot-plot.svg', 'boot-time.txt'].sort()
    )
  })

  test('a guest without systemd is told of', async () => {
    const { logs, log } = await collecting(
      { bootAnalysis: true },
      { answer: text => (text.includes('systemd-analyze') ? '' : 'x') }
    )
    expect(existsSync(join(logs, 'boot-time.txt'))).toBe(false)
    expect(log.of('warn')[0]).toMatch(/^No analysis of the boot/)
  })

  test('one that does not answer is not asked on', async () => {
    const { questions, log } = await collecting({ bootAnalysis: true }, { answer: () => undefined })
    expect(questions).toHaveLength(2) // once for each time
    expect(log.of('warn')[0]).toMatch(/did not answer.*boot-journal\.txt/)
  })

  test('a board without a display is a warning only where a picture was asked for', async () => {
    const warnings = (await collecting({ screenshot: true })).log.of('warn')
    expect(warnings.map(text => text.split('\n')[0])).toEqual(Array(2).fill('there is no screen to take a picture of'))
    const { log } = await collecting({}, { failed: true })
    expect([log.of('warn'), log.of('debug').length > 0]).toEqual([[], true])
    expect((await collecting({})).log.entries).toEqual([])
  })

  test('a disk that is full is a warning, and no more', async () => {
    const record = new RunRecord()
    record.machine = { qemu: { qmp: {} as never, isAlive: () => true }, serial: { poll: () => [], tail: () => [] } }
    record.guest = { askRoot: () => Promise.resolve('words') }
    const log = new RecordedLog()
    await collect(wanted, { logs: join(scratch.fresh(), 'missing'), record, log }, false)
    expect(log.of('warn')).toEqual([expect.stringMatching(/^The report lacks what the guest knows: .*ENOENT/)])
  })

  test('nothing is asked of a machine that is gone, or if no report is wanted', async () => {
    expect((await collecting({}, { alive: false })).questions).toEqual([])
    expect((await collecting({ reportDir: undefined })).questions).toEqual([])
  })
})
