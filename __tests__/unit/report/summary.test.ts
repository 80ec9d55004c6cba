import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { OutputName } from '../../../src/inputs'
import { Phases } from '../../../src/report/phases'
import { summaryText, writeSummary } from '../../../src/report/summary'
import { gantt, timingsTable } from '../../../src/report/timeline'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
type Report = Parameters<typeof summaryText>[0]

function report(changes: Partial<Report> = {}): Report {
  const phases = new Phases(new RecordedLog())
  return {
    ...{ outcome: 'success', exitCode: 0, signal: undefined, failure: undefined, hint: undefined, phases },
    ...{ cached: 'none', level: 'none', facts: {}, shortcuts: [], warnings: [], ...changes }
  }
}

const none = new Map<OutputName, string>()

test('a run that went well: what was emulated, how it ended, where the time went', () => {
  const done = report({
    facts: {
      ...{ image: 'Debian GNU/Linux 12 (bookworm)', board: 'Raspberry Pi 3 Model B', cpus: 4, memoryMiB: 1024 },
      ...{ accelerator: 'tcg', kernel: '6.1.0-41-arm64', fidelity: ['its own kernel', 'slower'] }
    },
    shortcuts: ['the image was prepared before'],
    warnings: ['copy-out: nothing matches /x', 'a <b> | c'],
    ...{ cached: 'prepared (`a`)', level: 'prepared' }
  })
  done.phases.note('boot', 24.04, 'Boot it')
  const outputs = new Map<OutputName, string>([
    ['image-release', 'debian-arm64:bookworm'],
    ['board', 'raspi3b'],
    ['qemu-version', '7.2.22'],
    ['cache-hit', 'prepared'],
    ['boot-seconds', '24.04']
  ])
  const timeline = { phases: done.phases.timings, level: 'prepared' } as const
  expect(summaryText(done, outputs).split('\n')).toEqual([
    '### Raspberry Pi under QEMU',
    '',
    '- **Outcome:** ✅ success (exit code 0)',
    '- **Image:** debian-arm64:bookworm, Debian GNU/Linux 12 (bookworm)',
    '- **Board:** Raspberry Pi 3 Model B',
    '- **Size:** 4 CPUs, 1024 MiB of memory',
    '- **Kernel:** 6.1.0-41-arm64',
    '- **QEMU:** 7.2.22',
    '- **From a cache:** prepared (`a`)',
    '- **Boot to SSH:** 24.04 s',
    '- **Fidelity:** its own kernel; slower',
    '- **Made faster:** the image was prepared before',
    '',
    '**Warnings**',
    '',
    '- copy-out: nothing matches /x',
    '- a &lt;b> \\| c',
    '',
    '```mermaid',
    ...gantt(timeline).split('\n'),
    '```',
    '',
    'Grey: a cache spared the work. Red: it failed here.',
    '',
    '<details><summary>The same in numbers</summary>',
    '',
    ...timingsTable(timeline),
    '',
    '</details>',
    ''
  ])
})

test('user mode says what it is not', () => {
  const outputs = new Map<OutputName, string>([['platforms', 'linux/amd64,linux/arm64']])
  const text = summaryText(report({ facts: { fidelity: ['no services'] } }), outputs)
  expect(text).toMatch(/\*\*Mode:\*\* user mode: no boot, the host's kernel.*\n- \*\*Platforms:\*\* linux\/amd64/)
  expect(text).toContain('- **Fidelity:** no services\n')
})

test('what never came to be is left out', () => {
  const text = summaryText(report({ outcome: 'bad-input', exitCode: 125, failure: 'input `board` is “x”' }), none)
  expect(text.split('\n')).toEqual([
    '### Raspberry Pi under QEMU',
    '',
    '- **Outcome:** ❌ the inputs are wrong (exit code 125)',
    '',
    '```text',
    'input `board` is “x”',
    '```',
    ''
  ])
})

test.each([
  ['script-failed', 3, '❌ the script failed (exit code 3)'],
  ['boot-failed', 125, '❌ the Pi did not boot (exit code 125)'],
  ['timeout', 124, '⏱️ a time limit was reached (exit code 124)'],
  ['host-failed', 125, '❌ the host could not do its part (exit code 125)']
] as const)('the outcome %s is told in words', (outcome, exitCode, words) => {
  expect(summaryText(report({ outcome, exitCode }), none)).toContain(`- **Outcome:** ${words}\n`)
})

test('a script that failed comes with its status and the hint', () => {
  const text = summaryText(report({ outcome: 'script-failed', exitCode: 2, hint: 'Known trouble: x' }), none)
  expect(text).toContain('```text\nThe script ended with status 2\nKnown trouble: x\n```')
})

test('the phase of a script that failed is red, and that of one that did not is not', () => {
  const phases = new Phases(new RecordedLog())
  for (const name of ['boot', 'run']) phases.note(name, 1)
  const red = (changes: Partial<Report>): readonly string[] =>
    [...summaryText(report({ phases, ...changes }), none).matchAll(/^\| (\w+) \|.*\| failed \|$/gm)].map(
      ([, name = '']) => name
    )
  expect(red({ outcome: 'script-failed', exitCode: 1 })).toEqual(['run'])
  expect([red({}), red({ outcome: 'boot-failed', failure: 'QEMU ended' })]).toEqual([[], []])
})

test('a failure cannot break out of its block', () => {
  const text = summaryText(report({ outcome: 'boot-failed', failure: 'bad\n```\n# Hacked\n````' }), none)
  expect(text.match(/^```/gm)).toHaveLength(2)
})

test('of many warnings some are shown', () => {
  const warnings = Array.from({ length: 23 }, (_, at) => `number ${at}`)
  const text = summaryText(report({ warnings }), none)
  expect(text).toContain('- number 19\n- and 3 more, see the log\n')
  expect(text).not.toContain('number 20')
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
    await writeSummary('later\n')
    expect(readFileSync(file, 'utf8')).toBe('earlier\nlater\n')
  })

  test('is done without on a terminal', async () => {
    delete process.env['GITHUB_STEP_SUMMARY']
    await expect(writeSummary('later\n')).resolves.toBeUndefined()
  })
})
