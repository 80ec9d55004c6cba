import { CacheHits, readOnly, Saves, type CacheLevel, type SharedCache } from './cache'
import type { Context } from './context'
import { leavable, type Leavable } from './host/going-on'
import { homeFolders } from './host/paths'
import { parseInputs, type OutputName, type RawInputs } from './inputs'
import { isKept, Journal, undo } from './journal'
import { collect } from './report/collect'
import { whatWentWrong } from './report/ending'
import { describeFailure, Failure, messageOf, ScriptFailure, type Outcome } from './report/errors'
import { shortcuts, type RunFacts } from './report/facts'
import { fillReport } from './report/folder'
import { hintFor, OutputTail } from './report/hint'
import type { Log } from './report/log'
import { Phases } from './report/phases'
import { RunRecord } from './report/record'
import { summaryText } from './report/summary'
import { rememberWarnings } from './report/warnings'
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
  /** What is known of a trouble that the script's output shows, where it failed. */
  readonly hint: string | undefined
  readonly phases: Phases
  /** What came from a cache, and why not more. */
  readonly cached: string
  /** The most that came from a cache. */
  readonly level: CacheLevel
  /** What was emulated. */
  readonly facts: RunFacts
  /** What made the run faster than the real thing. */
  readonly shortcuts: readonly string[]
  /** What the run warned of. */
  readonly warnings: readonly string[]
}

/** How the work of a run ended. */
type Ending = Pick<Report, 'outcome' | 'exitCode' | 'signal' | 'verdict' | 'failure'>

/** Lines of the console in which a script's trouble is looked for. */
const consoleLines = 100

/** A run that is over, and its summary as Markdown. */
export type Finished = Report & { readonly summary: string }

/**
 * One whole run, the same from a workflow and a terminal: inputs, work, outcome, teardown. Never throws; a signal that
 * asks this process to end tears down first.
 */
export async function execute({
  raw,
  env,
  workspace,
  log: ownLog,
  output: tellOutput,
  work = run,
  onSignal,
  started,
  hasPost,
  shared,
  keepLogs
}: Request): Promise<Finished> {
  const { log, warnings } = rememberWarnings(ownLog)
  const outputs = new Map<OutputName, string>()
  const output: Request['output'] = (name, value) => {
    outputs.set(name, value)
    tellOutput(name, value)
  }
  const record = new RunRecord()
  const said = new OutputTail()
  const phases = new Phases(log)
  const saves = new Saves(phases)
  const hits = new CacheHits(level => {
    output('cache-hit', level)
  })
  const doing = leavable()
  let ending: Ending
  let inputs: Inputs | undefined
  let journal: Journal | undefined
  let kept = false
  let signals: EndingSignals | undefined
  try {
    const checked = (inputs = parseInputs(raw, { env, workspace }))
    const home = homeFolders(env)
    journal = Journal.create(home, { tellPost: hasPost })
    started?.(journal.folder)
    signals = tearDownOnSignals(journal.folder, { doing, log, onSignal })
    const write = (stream: NodeJS.WriteStream) => (chunk: Buffer) => {
      stream.write(chunk)
    }
    const cache = checked.cache === 'off' ? undefined : shared?.(home.exchange, env)
    const context: Context = {
      shared: cache !== undefined && checked.cache === 'read-only' ? readOnly(cache) : cache,
      hits,
      saves,
      record,
      home,
      journal,
      log,
      phases,
      output,
      stdout: said.through(write(process.stdout)),
      stderr: said.through(write(process.stderr))
    }
    ending = { ...(await doing.run(() => work(checked, context))), failure: undefined }
    kept = isKept(journal.folder)
  } catch (error) {
    const outcome = error instanceof Failure ? error.outcome : 'host-failed'
    const own = outcome === 'timeout' ? ownStatus.timeLimit : ownStatus.fault
    const { exitCode, signal } = error instanceof ScriptFailure ? error : { exitCode: own, signal: undefined }
    ending = { outcome, exitCode, signal, failure: describeFailure(error) }
  }
  // A teardown that was asked for is why the work ended, and ends this process with a status of its own.
  if (signals?.isEnding() === true) await new Promise(() => undefined)
  // Whatever became of the script: what was made for it is not lost.
  await saves.settle()
  if (inputs !== undefined && journal !== undefined && ending.failure !== undefined)
    await collect(inputs, { logs: journal.logs, record, log }, true)
  const report = reportOf(ending, inputs, { phases, hits, record, said, warnings })
  if (report.failure !== undefined) log.error(report.failure)
  output('outcome', report.outcome)
  output('exit-code', String(report.exitCode))
  output('timings', phases.json())
  const summary = summaryText(report, outputs)
  if (inputs?.reportDir !== undefined) {
    const texts = { summary, timings: phases.json(), failure: whatWentWrong(report) }
    await fillReport(inputs.reportDir, { logs: journal?.logs, ...texts }).catch((error: unknown) => {
      log.warn(`The report could not be written: ${messageOf(error)}`)
    })
  }
  const logsStay = keepLogs === 'always' || report.failure !== undefined
  if (journal !== undefined && !kept) {
    const { folder } = journal
    await doing.leaveFor(() => undo(folder, log, { keepLogs: logsStay }))
  }
  signals?.ignore()
  return { ...report, summary }
}

/** What a run got to know on its way. */
interface Learned {
  readonly phases: Phases
  readonly hits: CacheHits
  readonly record: RunRecord
  readonly said: OutputTail
  readonly warnings: readonly string[]
}

function reportOf(
  ending: Ending,
  inputs: Inputs | undefined,
  { phases, hits, record, said, warnings }: Learned
): Report {
  const { level, text: cached } = hits
  const { facts } = record
  const scriptFailed = inputs?.run !== undefined && ending.failure === undefined && ending.outcome !== 'success'
  return {
    ...{ ...ending, phases, cached, level, facts, warnings },
    hint: scriptFailed ? hintFor(said.text, record.console(consoleLines)) : undefined,
    shortcuts: inputs === undefined ? [] : shortcuts(inputs, level, facts)
  }
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
