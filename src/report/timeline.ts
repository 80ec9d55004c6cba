import type { CacheLevel } from '../cache/hits'
import type { PhaseTiming } from './phases'

/** Phases whose work a cache spared, by the most that came from there. */
const sparedBy: Readonly<Record<CacheLevel, readonly string[]>> = {
  none: [],
  qemu: ['qemu-ready'],
  image: ['image'],
  prepared: ['image'],
  snapshot: ['image', 'boot']
}

export interface Timeline {
  readonly phases: readonly PhaseTiming[]
  /** The most that came from a cache. */
  readonly level: CacheLevel
}

/** Mermaid's tags for what there is to say of a phase: `crit` is red, `done` is grey. */
const colours = { failed: 'crit', 'from a cache': 'done' } as const

function markOf({ name, failed }: PhaseTiming, level: CacheLevel): keyof typeof colours | undefined {
  if (failed) return 'failed'
  return sparedBy[level].includes(name) ? 'from a cache' : undefined
}

/** Phases in the order in which they began. */
export function inOrder(phases: readonly PhaseTiming[]): readonly PhaseTiming[] {
  return [...phases].sort((one, other) => one.start - other.start)
}

/** Width (pixels) for the names at the left, of which Mermaid's own 75 would cut the longer ones. */
const nameWidth = 110
/** Characters of a phase's title in the picture. */
const titleLength = 60

/**
 * The phases as a Gantt chart for Mermaid, which GitHub draws: a section for each name, so that phases that went on at
 * the same time are below each other. Times are milliseconds since the run began; the axis counts seconds.
 */
export function gantt({ phases, level }: Timeline): string {
  const rows = inOrder(phases)
  const names = [...new Set(rows.map(({ name }) => name))]
  const end = Math.max(0, ...rows.map(({ start, seconds }) => start + seconds))
  return [
    `%%{init: {"gantt": {"leftPadding": ${nameWidth}}}}%%`,
    'gantt',
    '  dateFormat x',
    '  axisFormat %s s',
    `  tickInterval ${tickInterval(end)}`,
    '  todayMarker off',
    ...names.flatMap(name => [
      `  section ${harmless(name)}`,
      ...rows.filter(row => row.name === name).map(row => `    ${bar(row, level)}`)
    ])
  ].join('\n')
}

/** A bar's words begin with a number: no statement of Mermaid's does. */
function bar(row: PhaseTiming, level: CacheLevel): string {
  const mark = markOf(row, level)
  const tag = mark === undefined ? '' : `${colours[mark]}, `
  // The colour of a short bar cannot be seen.
  const title = `${harmless(row.title).slice(0, titleLength).trim()}${mark === undefined ? '' : `, ${mark}`}`
  return `${row.seconds.toFixed(1)} s ${title} :${tag}${milliseconds(row.start)}, ${milliseconds(row.seconds)}ms`
}

const milliseconds = (seconds: number): number => Math.round(seconds * 1000)

/** Without the characters that mean something in Mermaid's text, or in Markdown's code blocks. */
function harmless(text: string): string {
  return text
    .replace(/[:;#%{}"<>`\\\p{C}]/gu, ' ')
    .replace(/ {2,}/g, ' ')
    .trim()
}

const steps: readonly (readonly [seconds: number, interval: string])[] = [
  ...[1, 2, 5, 10, 15, 30].map(count => [count, `${count}second`] as const),
  ...[1, 2, 5, 10, 15, 30].map(count => [count * 60, `${count}minute`] as const)
]
/** More would not fit below the picture. */
const mostTicks = 12

/** How far the ticks of the axis are apart: Mermaid's own are parts of a second in short runs, which the axis cannot say. */
function tickInterval(end: number): string {
  return steps.find(([seconds]) => end / seconds <= mostTicks)?.[1] ?? '1hour'
}

/** The same as a table, for those who want the numbers. */
export function timingsTable({ phases, level }: Timeline): readonly string[] {
  return [
    '| Phase | What | starts at (s) | takes (s) | |',
    '|---|---|---:|---:|---|',
    ...inOrder(phases).map(row => {
      const mark = markOf(row, level) ?? ''
      return `| ${row.name} | ${cell(row.title)} | ${row.start.toFixed(3)} | ${row.seconds.toFixed(3)} | ${mark} |`
    })
  ]
}

/** Text as it is in a line of Markdown, and in a cell of a table. */
export function cell(text: string): string {
  return text.replace(/\s+/g, ' ').trim().replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('|', '\\|')
}
