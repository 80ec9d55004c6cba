// What pi-qemu itself costs in a run whose image is prepared: from its start to QEMU's, and from the script's end to its
// own.
import { execFileSync } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { image } from '../kit/images.mjs'
import { runInPi } from '../kit/ours.mjs'
import { secondsSince } from '../kit/session.mjs'

export const rows = {
  'warm-host': { what: 'host-side work of a warm run, virt', unit: 's', below: 2 },
  'warm-before': { what: '– from start to QEMU exec', unit: 's' },
  'warm-after': { what: '– from script end to exit', unit: 's' }
}

/** Kernel clock ticks per second, the unit of start times in /proc. */
const ticks = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

export async function round(session) {
  const folder = session.path('warm-workspace')
  const common = { board: 'virt', image: await image(session) }
  const go = (more, onStdout) => runInPi(session, { ...common, ...more }, { cwd: folder, onStdout })
  await session.oncePerSession('warm run before', async () => {
    await mkdir(folder)
    await writeFile(join(folder, 'file'), 'of the workspace\n')
    await go({ run: 'true' })
    await go({ run: 'true' })
  })
  let [ended, before] = []
  const { phases, cacheHit } = await go({ run: 'sleep 1; echo END' }, stdout => {
    if (ended !== undefined || !stdout.includes('END')) return
    ended = process.hrtime.bigint()
    before = startToQemu(session.home)
  })
  const after = secondsSince(ended)
  return {
    'warm-host': { ours: before + after, cacheHit, phases },
    'warm-before': { ours: before },
    'warm-after': { ours: after }
  }
}

/** From the start of the process that does the run to QEMU's, both by the kernel's own clock. */
function startToQemu(home) {
  const [folder] = readdirSync(join(home, 'runs'))
  const entries = readFileSync(join(home, 'runs', folder, 'journal.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map(line => JSON.parse(line))
  const start = kind => Number(entries.find(entry => entry.kind === kind).process.startTime)
  return (start('process') - start('owner')) / ticks
}
