// `npm run bench`: measures what README.md describes, prints a table and writes results/latest.json.
// BENCH_ROUNDS: how many rounds (3). BENCH_ONLY: names of rows, separated by commas.
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describeHost } from './kit/host.mjs'
import { Session } from './kit/session.mjs'
import { formatTable, summarize } from './kit/table.mjs'
import * as cachedStart from './rows/cached-start.mjs'
import * as cacheEntry from './rows/cache-entry.mjs'
import * as coldStart from './rows/cold-start.mjs'
import * as handlers from './rows/handlers.mjs'
import * as modes from './rows/modes.mjs'
import * as secondStep from './rows/second-step.mjs'
import * as unpack from './rows/unpack.mjs'
import * as userMode from './rows/user-mode.mjs'
import * as warmRun from './rows/warm-run.mjs'
import * as workspace from './rows/workspace.mjs'

const benchmarks = [
  coldStart,
  cachedStart,
  workspace,
  cacheEntry,
  warmRun,
  secondStep,
  unpack,
  handlers,
  userMode,
  modes
]
const names = benchmarks.flatMap(({ rows }) => Object.keys(rows))

const rounds = Number(process.env['BENCH_ROUNDS'] ?? 3)
const only = (process.env['BENCH_ONLY'] ?? '').split(',').filter(Boolean)
const unknown = only.filter(name => !names.includes(name))
if (unknown.length > 0 || !(rounds >= 1)) {
  console.error(`BENCH_ROUNDS is a number from 1; BENCH_ONLY is of ${names.join(', ')}; not ${unknown.join(', ')}`)
  process.exit(2)
}
const wanted = name => only.length === 0 || only.includes(name)

const session = new Session(rounds)
for (const [signal, number] of [
  ['SIGINT', 2],
  ['SIGTERM', 15]
])
  process.once(signal, () => void session.close().finally(() => process.exit(128 + number)))

try {
  const host = describeHost()
  const values = new Map(names.map(name => [name, []]))
  for (let n = 1; n <= rounds; n++) {
    session.nextRound()
    for (const { rows, round } of benchmarks.filter(one => Object.keys(one.rows).some(wanted))) {
      session.say(`round ${n} of ${rounds}: ${Object.keys(rows).filter(wanted).join(', ')}`)
      try {
        for (const [name, value] of Object.entries(await round(session, n, wanted))) {
          session.say(`${name}: ${JSON.stringify({ ours: value.ours, peer: value.peer })}`)
          values.get(name).push(value)
        }
      } catch (error) {
        // What was measured before, and will be after, took long enough to be worth keeping.
        session.say(`failed: ${error.stack}`)
        process.exitCode = 1
        session.goOn()
      }
    }
  }
  const results = benchmarks.flatMap(({ rows }) =>
    Object.entries(rows)
      .filter(([name]) => wanted(name))
      .map(([name, row]) => summarize(name, row, values.get(name)))
  )
  const folder = join(dirname(fileURLToPath(import.meta.url)), 'results')
  const file = join(folder, only.length === 0 ? 'latest.json' : 'partial.json')
  mkdirSync(folder, { recursive: true })
  writeFileSync(file, `${JSON.stringify({ date: new Date().toISOString(), rounds, host, results }, undefined, 2)}\n`)
  console.log(`${host.cpu}; ${host.system}, Linux ${host.kernel}; ${host.qemu}; Node ${host.node}; ${rounds} rounds\n`)
  console.log(formatTable(results))
  session.say(`All values are in ${file}`)
} finally {
  await session.close()
}
