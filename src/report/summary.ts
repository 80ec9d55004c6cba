import { appendFile } from 'node:fs/promises'
import type { Report } from '../execute'
import type { OutputName } from '../inputs'
import { whatWentWrong } from './ending'
import { cell, gantt, timingsTable, type Timeline } from './timeline'

const verdicts: Readonly<Record<Report['outcome'], string>> = {
  success: '✅ success',
  'script-failed': '❌ the script failed',
  'boot-failed': '❌ the Pi did not boot',
  timeout: '⏱️ a time limit was reached',
  'bad-input': '❌ the inputs are wrong',
  'host-failed': '❌ the host could not do its part'
}

/** More of them say nothing more. */
const mostWarnings = 20

/** The run as Markdown: what was emulated, how it ended, where the time went. */
export function summaryText(report: Report, outputs: ReadonlyMap<OutputName, string>): string {
  const { level, warnings } = report
  const timeline: Timeline = { phases: phasesOf(report), level }
  const wrong = whatWentWrong(report)
  return [
    '### Raspberry Pi under QEMU',
    '',
    ...factsOf(report, outputs).map(([name, value]) => `- **${name}:** ${value}`),
    ...(wrong === undefined ? [] : ['', '```text', wrong.replaceAll('```', "'''"), '```']),
    ...(warnings.length === 0 ? [] : ['', '**Warnings**', '', ...shortList(warnings)]),
    ...(timeline.phases.length === 0 ? [] : ['', ...pictureOf(timeline)]),
    ''
  ].join('\n')
}

/** A script that fails ends its phase like any other: that it failed is the outcome of the run. */
function phasesOf({ outcome, failure, phases: { timings } }: Report): Timeline['phases'] {
  const scriptFailed = outcome !== 'success' && failure === undefined
  return timings.map(row => (scriptFailed && /^(?:run|console)$/.test(row.name) ? { ...row, failed: true } : row))
}

function factsOf(
  { outcome, exitCode, verdict, cached, facts, shortcuts }: Report,
  outputs: ReadonlyMap<OutputName, string>
): readonly (readonly [name: string, value: string])[] {
  const { image, cpus, memoryMiB, kernel, fidelity = [] } = facts
  const release = outputs.get('image-release')
  const platforms = outputs.get('platforms')
  const seconds = outputs.get('boot-seconds')
  const size = cpus === undefined || memoryMiB === undefined ? undefined : `${cpus} CPUs, ${memoryMiB} MiB of memory`
  const rows: readonly (readonly [name: string, value: string | undefined])[] = [
    ['Outcome', `${verdicts[outcome]} (exit code ${exitCode})`],
    ['Console', verdict?.split('\n')[0]],
    ['Image', [release, image].filter(Boolean).join(', ') || undefined],
    ['Board', facts.board ?? outputs.get('board')],
    ['Size', size],
    ['Kernel', kernel],
    ['Mode', platforms === undefined ? undefined : "user mode: no boot, the host's kernel, no hardware of a Pi"],
    ['Platforms', platforms],
    ['QEMU', outputs.get('qemu-version')],
    ['From a cache', outputs.has('cache-hit') ? cached : undefined],
    ['Boot to SSH', seconds === undefined ? undefined : `${seconds} s`],
    ['Fidelity', fidelity.join('; ') || undefined],
    ['Made faster', shortcuts.join('; ') || undefined]
  ]
  return rows.flatMap(([name, value]) => (value === undefined ? [] : [[name, cell(value)] as const]))
}

function shortList(texts: readonly string[]): readonly string[] {
  const more = texts.length - mostWarnings
  return [
    ...texts.slice(0, mostWarnings).map(text => `- ${cell(text)}`),
    ...(more > 0 ? [`- and ${more} more, see the log`] : [])
  ]
}

function pictureOf(timeline: Timeline): readonly string[] {
  return [
    '```mermaid',
    gantt(timeline),
    '```',
    '',
    'Grey: a cache spared the work. Red: it failed here.',
    '',
    '<details><summary>The same in numbers</summary>',
    '',
    ...timingsTable(timeline),
    '',
    '</details>'
  ]
}

/** Appends the summary to the job's, where there is one. */
export async function writeSummary(text: string): Promise<void> {
  const file = process.env['GITHUB_STEP_SUMMARY']
  if (file) await appendFile(file, text)
}
