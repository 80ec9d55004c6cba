import type { ChildProcess } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { parseCommandFile, parsePathFile, RunnerLog, type WorkflowCommand } from './runner-protocol'

/** The files through which a step speaks to the runner; each variable names one. */
export const commandFiles = [
  'GITHUB_OUTPUT',
  'GITHUB_STATE',
  'GITHUB_ENV',
  'GITHUB_PATH',
  'GITHUB_STEP_SUMMARY'
] as const
type CommandFile = (typeof commandFiles)[number]

/** How long the runner waits for the streams of a process that has ended, in ms. */
const streamGrace = 5_000

export interface StepResult {
  /** Exit status, null if a signal ended it. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  /** Both streams as the job's log shows them, masked. */
  readonly log: string
  readonly commands: readonly WorkflowCommand[]
  readonly outputs: Readonly<Record<string, string>>
  readonly state: Readonly<Record<string, string>>
  readonly env: Readonly<Record<string, string>>
  readonly path: readonly string[]
  /** Markdown of the job summary. */
  readonly summary: string
  /** From start to end. */
  readonly seconds: number
  /** Something the step started still had its output open {@link streamGrace} ms after it ended. */
  readonly outputHeldOpen: boolean
}

/** A main or post that is running. */
export class RunningStep {
  private readonly out = { stdout: '', stderr: '' }
  private readonly checks = new Set<() => void>()
  private ended = false
  readonly commands: WorkflowCommand[] = []
  private readonly journal = new RunnerLog(command => this.commands.push(command))
  /** Its result; rejects only if it could not be started or broke the command files' format. */
  readonly done: Promise<StepResult>

  constructor(
    private readonly child: ChildProcess & { readonly stdout: Readable; readonly stderr: Readable },
    private readonly files: string,
    finished: (result: StepResult) => void
  ) {
    this.done = this.follow().then(result => {
      finished(result)
      return result
    })
    // Whoever waits for a log line first must not see an unhandled rejection of this.
    this.done.catch(() => undefined)
  }

  get pid(): number {
    return this.child.pid ?? -1
  }

  /** The masked log so far. */
  get log(): string {
    return this.journal.masked
  }

  /** Signals the action's own process, as the runner does; its children are left to it. */
  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal)
  }

  /** Waits until a whole line of the masked log matches. Rejects when the step ends or the time (ms) is over first. */
  waitForLog(pattern: RegExp, timeout: number): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        this.checks.delete(check)
        act()
      }
      const give = (why: string): void => {
        settle(() => {
          reject(new Error(`no ${String(pattern)} in the log: ${why}. Its end:\n${this.log.slice(-3000)}`))
        })
      }
      const check = (): void => {
        const match = new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).exec(this.log)
        if (match !== null)
          settle(() => {
            resolve(match)
          })
        else if (this.ended) give('the step ended')
      }
      const timer = setTimeout(() => {
        give(`${timeout} ms are over`)
      }, timeout)
      this.checks.add(check)
      check()
    })
  }

  private async follow(): Promise<StepResult> {
    const started = Date.now()
    const streams = Promise.all([this.read('stdout'), this.read('stderr')])
    try {
      const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve, reject) => {
        this.child.once('error', reject)
        this.child.once('exit', (...end) => {
          resolve(end)
        })
      })
      const seconds = (Date.now() - started) / 1000
      const outputHeldOpen = await this.streamsHeld(streams)
      const read = (name: CommandFile): Promise<string> => readFile(join(this.files, name), 'utf8')
      return {
        ...{ code, signal, ...this.out, log: this.log, commands: this.commands, seconds, outputHeldOpen },
        outputs: parseCommandFile(await read('GITHUB_OUTPUT')),
        state: parseCommandFile(await read('GITHUB_STATE')),
        env: parseCommandFile(await read('GITHUB_ENV')),
        path: parsePathFile(await read('GITHUB_PATH')),
        summary: await read('GITHUB_STEP_SUMMARY')
      }
    } finally {
      this.ended = true
      this.notify()
      await rm(this.files, { recursive: true, force: true })
    }
  }

  private async read(name: 'stdout' | 'stderr'): Promise<void> {
    const stream = this.child[name]
    stream.setEncoding('utf8')
    stream.on('data', (text: string) => (this.out[name] += text))
    // A pipe that we destroy below ends no line iterator by itself.
    const closed = new Promise<void>(resolve => stream.once('close', resolve))
    createInterface({ input: stream, crlfDelay: Infinity }).on('line', line => {
      this.journal.add(line)
      this.notify()
    })
    await closed
  }

  private async streamsHeld(streams: Promise<unknown>): Promise<boolean> {
    let timer: NodeJS.Timeout | undefined
    const held = new Promise<boolean>(resolve => {
      timer = setTimeout(resolve, streamGrace, true)
    })
    const result = await Promise.race([streams.then(() => false), held])
    clearTimeout(timer)
    for (const stream of [this.child.stdout, this.child.stderr]) stream.destroy()
    return result
  }

  private notify(): void {
    for (const check of this.checks) check()
  }
}
