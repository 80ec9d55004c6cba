import { setTimeout as sleep } from 'node:timers/promises'
import { BadInput, BootFailure, HostFailure } from '../report/errors'
import { copyOutText, patternsWithoutMatch, type CopyOutRequest } from './copy-out'
import {
  freezeText,
  guestFolder,
  noSuchDirectory,
  settleText,
  setupText,
  shellQuote,
  startCommand,
  stopText,
  thawText,
  type SetupRequest
} from './script'
import type { ExecOptions, ExecResult, GuestSession } from './ssh'

/** How long (ms) a script may take to end after it was told to, and a guest to tell something of it. */
const stopPatience = 15_000

/** How long (ms) the guest may take to write its disks out. */
const settlePatience = 120_000

/** A Pi we are logged in to: what a run does in it. */
export class Guest {
  /** Where its files lie in the guest. */
  readonly folder: string

  constructor(
    readonly session: GuestSession,
    private readonly user: string,
    private readonly runId: string
  ) {
    this.folder = guestFolder(runId)
  }

  /** The same guest by another connection. */
  over(session: GuestSession): Guest {
    return new Guest(session, this.user, this.runId)
  }

  /** Runs a text with root's shell; the user has sudo without a password on a provisioned image. */
  asRoot(text: string): Promise<ExecResult> {
    return this.session.exec(this.user === 'root' ? 'sh' : 'sudo -n sh', { input: text })
  }

  /** Runs a command line with root's shell, which is given what to read. */
  feedRoot(command: string, options: ExecOptions): Promise<ExecResult> {
    return this.session.exec(`${this.user === 'root' ? '' : 'sudo -n '}sh -c ${shellQuote(command)}`, options)
  }

  /** Ends the script and all that it started. */
  async stop(): Promise<void> {
    await this.asRoot(stopText(this.folder)).catch(() => undefined)
  }

  /** Sets the clock, mounts the workspace, lays down the script; what it printed. */
  async setUp(request: Omit<SetupRequest, 'folder' | 'user'>): Promise<string> {
    const { code, stderr, stdout } = await this.asRoot(setupText({ ...request, folder: this.folder, user: this.user }))
    this.checkSetUp(request, { code, output: (stderr || stdout).trim() })
    return stdout
  }

  /**
   * Looks at what became of the set-up, by whichever way it was run.
   * @throws BadInput or BootFailure if it failed
   */
  checkSetUp(
    request: Pick<SetupRequest, 'script'>,
    { code, output }: { readonly code: number | undefined; readonly output: string }
  ): void {
    if (code === 0) return
    if (code === noSuchDirectory) {
      throw new BadInput([
        `input \`working-directory\` names ${request.script?.workingDirectory ?? ''}, which does not exist in the guest`
      ])
    }
    throw new BootFailure({
      symptom: `the guest could not be set up (status ${code ?? 'unknown'}): ${output.trim()}`,
      cause: /sudo|password|a terminal is required/i.test(output)
        ? `${this.user} may not use sudo without a password`
        : undefined,
      remedy: 'use `user: root`, or `provision: auto`'
    })
  }

  /** Runs the script; its output goes to `options` as it comes. Past `timeout` (ms) it is ended; then `timedOut`. */
  async run(options: ExecOptions, timeout: number | undefined): Promise<ExecResult & { readonly timedOut: boolean }> {
    const running = this.session.exec(startCommand(this.folder), options)
    if (timeout === undefined) return { ...(await running), timedOut: false }
    const timer = new AbortController()
    const limit = sleep(timeout, 'limit' as const, { signal: timer.signal })
    limit.catch(() => undefined)
    const first = await Promise.race([running, limit])
    timer.abort()
    if (first !== 'limit') return { ...first, timedOut: false }
    const nothing = { code: undefined, signal: undefined, stdout: '', stderr: '' }
    const stopping = this.stop()
    const result = await Promise.race([
      Promise.all([stopping, running]).then(([, ended]) => ended),
      sleep(stopPatience, nothing, { ref: false })
    ])
    return { ...result, timedOut: true }
  }

  /**
   * Runs a text about the run's folder, as the user; what it printed. Nothing of a guest that does not answer any more: what a
   * script did there is over, and its result stands.
   */
  async ask(text: (folder: string) => string): Promise<string> {
    const asking = this.session.exec('sh', { input: text(this.folder) }).then(
      ({ stdout }) => stdout,
      () => ''
    )
    return Promise.race([asking, sleep(stopPatience, '', { ref: false })])
  }

  /**
   * Runs a text as root; what it printed, undefined if that took longer than `timeout` (ms) or the connection broke.
   */
  async askRoot(text: string, timeout: number): Promise<string | undefined> {
    const asking = this.asRoot(text).then(
      ({ code, signal, stdout }) => (code === undefined && signal === undefined ? undefined : stdout),
      () => undefined
    )
    return Promise.race([asking, sleep(timeout, undefined, { ref: false })])
  }

  /** Copies files into a folder in the guest; what there is to say about it, a line each. */
  async copyOut(request: CopyOutRequest): Promise<readonly string[]> {
    const { stdout, stderr } = await this.asRoot(copyOutText(request))
    const complaints = stderr.split('\n').filter(line => line.trim() !== '')
    return [...patternsWithoutMatch(stdout).map(pattern => `nothing in the guest matches ${pattern}`), ...complaints]
  }

  /**
   * Runs `work` while the file system at `path` stands still and is complete on its volume.
   * @param after what to remove from it once it moves again; undefined where the guest is ended next, and it need not
   */
  async whileFrozen<T>(
    path: string,
    after: { readonly remove?: string } | undefined,
    work: () => Promise<T>
  ): Promise<T> {
    const { code, stderr } = await this.asRoot(freezeText(path))
    if (code !== 0) {
      throw new HostFailure({
        symptom: `the workspace could not be read back: ${stderr.trim() || `status ${code ?? 'unknown'}`}`,
        cause: 'the script unmounted it, or the guest is out of order; nothing on the host was changed'
      })
    }
    try {
      return await work()
    } finally {
      if (after !== undefined) await this.asRoot(thawText(path, after.remove)).catch(() => undefined)
    }
  }

  /** Brings all disks into the state of an orderly end; whether the guest got that far. */
  async settleDisks(): Promise<boolean> {
    const settling = this.asRoot(settleText()).then(
      ({ code }) => code === 0,
      () => false
    )
    return Promise.race([settling, sleep(settlePatience, false, { ref: false })])
  }

  /** Starts an orderly power-off; the connection may break before the answer. */
  async powerOff(): Promise<void> {
    await Promise.race([this.asRoot('sync; poweroff').catch(() => undefined), sleep(3000, undefined, { ref: false })])
  }
}
