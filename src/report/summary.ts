import { appendFile } from 'node:fs/promises'
import type { Report } from '../execute'

const verdicts: Readonly<Record<Report['outcome'], string>> = {
  success: '✅ success',
  'script-failed': '❌ the script failed',
  'boot-failed': '❌ the Pi did not boot',
  timeout: '⏱️ a time limit was reached',
  'bad-input': '❌ the inputs are wrong',
  'host-failed': '❌ the host could not do its part'
}

/** The run as Markdown: what was emulated, how it ended, where the time went. */
export function summaryText(
  { outcome, exitCode, verdict, failure, phases, cached }: Report,
  outputs: ReadonlyMap<string, string>
): string {
  const facts = [
    ['Outcome', `${verdicts[outcome]} (exit code ${exitCode})`],
    ['Console', verdict?.split('\n')[0]],
    ['Image', outputs.get('image-release')],
    ['Board', outputs.get('board')],
    [
      'Mode',
      outputs.has('platforms')
        ? "user mode: the host's kernel, no hardware of a Pi, less isolated than a virtual machine"
        : undefined
    ],
    ['Platforms', outputs.get('platforms')],
    ['QEMU', outputs.get('qemu-version')],
    ['From a cache', outputs.has('cache-hit') ? cached : undefined],
    ['Boot to SSH', outputs.has('boot-seconds') ? `${outputs.get('boot-seconds') ?? ''} s` : undefined]
  ].filter(([, value]) => value !== undefined)
  const rows = phases.timings.map(
    ({ name, start, seconds }) => `| ${name} | ${start.toFixed(1)} | ${seconds.toFixed(1)} |`
  )
  return [
    '### Raspberry Pi under QEMU',
    '',
    ...facts.map(([name = '', value = '']) => `- **${name}:** ${value}`),
    ...(failure === undefined ? [] : ['', '```text', failure.replaceAll('```', "'''"), '```']),
    '',
    ...(rows.length === 0 ? [] : ['| Phase | starts at (s) | takes (s) |', '|---|---:|---:|', ...rows]),
    ''
  ].join('\n')
}

/** Appends the summary to the job's, where there is one. */
export async function writeSummary(report: Report, outputs: ReadonlyMap<string, string>): Promise<void> {
  const file = process.env['GITHUB_STEP_SUMMARY']
  if (file) await appendFile(file, summaryText(report, outputs))
}
