import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Phases } from '../../../src/report/phases'
import { summaryText, writeSummary } from '../../../src/report/summary'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
type Report = Parameters<typeof summaryText>[0]

function report(changes: Partial<Report> = {}): Report {
  const phases = new Phases(new RecordedLog())
  return { outcome: 'success', exitCode: 0, signal: undefined, failure: undefined, phases, ...changes }
}

test('a run that went well: what was emulated, how it ended, where the time went', () => {
  const done = report()
  done.phases.note('boot', 24.04)
  done.phases.note('run', 1)
  const outputs = new Map([
    ['board', 'raspi3b'],
    ['qemu-version', '7.2.22'],
    ['boot-seconds', '24.04']
  ])
  expect(summaryText(done, outputs).split('\n')).toEqual([
    '### Raspberry Pi under QEMU',
    '',
    '- **Outcome:** ✅ success (exit code 0)',
    '- **Board:** raspi3b',
    '- **QEMU:** 7.2.22',
    '- **Boot to SSH:** 24.04 s',
    '',
    '| Phase | starts at (s) | takes (s) |',
    '|---|---:|---:|',
    expect.stringMatching(/^\| boot \| -?\d+\.\d \| 24\.0 \|$/),
    expect.stringMatching(/^\| run \| -?\d+\.\d \| 1\.0 \|$/),
    ''
  ])
})

test('what never came to be is left out', () => {
  const text = summaryText(report({ outcome: 'bad-input', exitCode: 125, failure: 'input `board` is “x”' }), new Map())
  expect(text.split('\n')).toEqual([
    '### Raspberry Pi under QEMU',
    '',
    '- **Outcome:** ❌ the inputs are wrong (exit code 125)',
    '',
    '```text',
    'input `board` is “x”',
    '```',
    '',
    ''
  ])
})

test.each([
  ['script-failed', 3, '❌ the script failed (exit code 3)'],
  ['boot-failed', 125, '❌ the Pi did not boot (exit code 125)'],
  ['timeout', 124, '⏱️ a time limit was reached (exit code 124)'],
  ['host-failed', 125, '❌ the host could not do its part (exit code 125)']
] as const)('the outcome %s is told in words', (outcome, exitCode, words) => {
  expect(summaryText(report({ outcome, exitCode }), new Map())).toContain(`- **Outcome:** ${words}\n`)
})

test('a failure cannot break out of its block', () => {
  const text = summaryText(report({ failure: 'bad\n```\n# Hacked\n````' }), new Map())
  expect(text.match(/^```/gm)).toHaveLength(2)
})

describe("the job's summary", () => {
  const before = process.env['GITHUB_STEP_SUMMARY']
  afterEach(() => {
    if (before === undefined) delete process.env['GITHUB_STEP_SUMMARY']
    else process.env['GITHUB_STEP_SUMMARY'] = before
  })

  test('keeps what other steps wrote', async () => {
    const file = join(scratch.fresh(), 'summary')
    writeFileSync(file, 'earlier\n')
    process.env['GITHUB_STEP_SUMMARY'] = file
    await writeSummary(report(), new Map())
    expect(readFileSync(file, 'utf8')).toBe(`earlier\n${summaryText(report(), new Map())}`)
  })

  test('is done without on a terminal', async () => {
    delete process.env['GITHUB_STEP_SUMMARY']
    await expect(writeSummary(report(), new Map())).resolves.toBeUndefined()
  })
})
