import { CacheHits, readOnly, Saves, type SharedCache } from './cache'
import type { Context } from './context'
import { leavable, type Leavable } from './host/going-on'
import { homeFolders } from './host/paths'
import { parseInputs, type OutputName, type RawInputs } from './inputs'
import { isKept, Journal, undo } from './journal'
import { describeFailure, Failure, ScriptFailure, type Outcome } from './report/errors'
import type { Log } from './report/log'
import { Phases } from './report/phases'
import { run } from './run'
import type { Inputs } from './inputs'

/** Statuses that are ours and not the script's; as docker and timeout(1) have them. */
export const ownStatus = { fault: 125, timeLimit: 124 } as const

export interface Request {
  readonly raw: RawInputs
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly workspace: string
  readonly log: Log
  readonly output: (name: OutputName, value: string) => void
  /** What to do once all is checked; by default a run of the script. */
  readonly work?: (
    inputs: Inputs,
    context: Context
  ) => Promise<Pick<Report, 'outcome' | 'exitCode' | 'signal' | 'verdict'>>
  /** Takes a signal that asks this process to end, if the work can end by itself; else the run is torn down at once. */
  readonly onSignal?: ((name: string) => boolean) | undefined
  /** Called with the run's folder once there is one. */
  readonly started?: (folder: string) => unknown
  /** Whether a post step follows, which has to be told of the run. */
  readonly hasPost: boolean
  /** Prepared images of other jobs, given the folder for exchanging them. */
  readonly shared?: (exchange: string, env: Readonly<NodeJS.ProcessEnv>) => SharedCache | undefined
  /** Whether logs stay after a run that went well. */
  readonly keepLogs: 'always' | 'on-failure'
}

export interface Report {
  readonly outcome: Outcome
  /** Status for the process to end with. */
  readonly exitCode: number
  readonly signal: string | undefined
  /** How it ended, where there was no script whose status says so. */
  readonly verdict?: string | undefined
  /** Our own failure, in words. */
  readonly failure: string | undefined
  readonly phases: Phases
  /** What came from a cache, and why not more; empty if that was not asked. */
  readonly cached?: string
}

/**
 * One whole run, the same from a workflow and a terminal: inputs, work, outcome, teardown. Never throws; a signal that
 * asks this process to end tears down first.
 */
export async function execute({
  raw,
  env,
  workspace,
  log,
  output,
  work = run,
  onSignal,
  started,
  hasPost,
  shared,
  keepLogs
}: Request): Promise<Report> {
  const phases = new Phases(log)
  const saves = new Saves(phases)
  const hits = new CacheHits(level => {
    output('cache-hit', level)
  })
  const doing = leavable()
  let report: Report
  let journal: Journal | undefined
  let kept = false
  let signals: EndingSignals | undefined
  try {
    const inputs = parseInputs(raw, { env, workspace })
    const home = homeFolders(env)
    journal = Journal.create(home, { tellPost: hasPost })
    started?.(journal.folder)
    signals = tearDownOnSignals(journal.folder, { doing, log, onSignal })
    const write = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
      stream.write(chunk)
    }
    const cache = inputs.cache === 'off' ? undefined : shared?.(home.exchange, env)
    const context: Context = {
      shared: cache !== undefined && inputs.cache === 'read-only' ? readOnly(cache) : cache,
      hits,
      saves,
      home,
      journal,
      log,
      phases,
      output,
      stdout: write(process.stdout),
      stderr: write(process.stderr)
    }
    report = { ...(await doing.run(() => work(inputs, context))), failure: undefined, phases }
    kept = isKept(journal.folder)
  } catch (error) {
    const outcome = error instanceof Failure ? error.outcome : 'host-failed'
    const own = outcome === 'timeout' ? ownStatus.timeLimit : ownStatus.fault
    const { exitCode, signal } = error instanceof ScriptFailure ? error : { exitCode: own, signal: undefined }
    report = { outcome, exitCode, signal, failure: describeFailure(error), phases }
  }
  // A teardown that was asked for is why the work ended, and ends this process with a status of its own.
  if (signals?.isEnding() === true) await new Promise(() => undefined)
  // Whatever became of the script: what was made for it is not lost.
  await saves.settle()
  report = { ...report, cached: hits.text }
  if (report.failure !== undefined) log.error(report.failure)
  output('outcome', report.outcome)
  output('exit-code', String(report.exitCode))
  output('timings', phases.json())
  const logsStay = keepLogs === 'always' || report.failure !== undefined
  if (journal !== undefined && !kept) {
    const { folder } = journal
    await doing.leaveFor(() => undo(folder, log, { keepLogs: logsStay }))
  }
  signals?.ignore()
  return report
}

interface EndingSignals {
  /** Whether one has come. */
  readonly isEnding: () => boolean
  /** From now on they are as they were. */
  readonly ignore: () => void
}

/** Whatever ends this process early, short of SIGKILL: what it made goes first. */
function tearDownOnSignals(
  folder: string,
  { doing, log, onSignal }: Pick<Request, 'log' | 'onSignal'> & { readonly doing: Leavable }
): EndingSignals {
  const signals = { SIGINT: 2, SIGTERM: 15, SIGHUP: 1 } as const
  let ending = false
  const crashed = (error: unknown): void => {
    if (ending) return
    ending = true
    log.error(describeFailure(error))
    void doing.leaveFor(() => undo(folder, log, { keepLogs: true })).finally(() => process.exit(ownStatus.fault))
  }
  const told = Object.entries(signals).map(([name, number]) => {
    const listener = (): void => {
      if (ending || onSignal?.(name) === true) return
      ending = true
      log.warn(`${name}: switching the Pi off`)
      void doing.leaveFor(() => undo(folder, log)).finally(() => process.exit(128 + number))
    }
    process.on(name, listener)
    return { name, listener }
  })
  process.on('uncaughtException', crashed)
  return {
    isEnding: () => ending,
    ignore: () => {
      process.off('uncaughtException', crashed)
      for (const { name, listener } of told) process.off(name, listener)
    }
  }
}
