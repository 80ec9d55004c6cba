import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseAction, type ActionDefinition } from './runner-protocol'
import { RunnerStep, type StepHost } from './runner-step'
import type { RunningStep, StepResult } from './running-step'

/** Where tests keep prepared images, so that one job's work serves the next. */
export const sharedHome = '/var/cache/pi-qemu-test/home'

/** The repository, whose action.yml and committed bundles are run unless another action is named. */
export const repository = resolve(__dirname, '../..')

export interface JobOptions {
  /** GITHUB_WORKSPACE; by default an empty folder of the job's own. A given one is not removed. */
  readonly workspace?: string
  /** More variables for every step, as a workflow's `env:`. */
  readonly env?: Readonly<Record<string, string>>
  /** Node binary; by default the one running the test. */
  readonly node?: string
  /** PI_QEMU_HOME; by default {@link sharedHome}. */
  readonly home?: string
  /** Folder with the action.yml; by default {@link repository}. */
  readonly action?: string
}

export interface StepOptions {
  readonly env?: Readonly<Record<string, string>>
}

/** How long the runner waits, in ms: after SIGINT, and after SIGTERM. */
export interface CancelDelays {
  readonly term: number
  readonly kill: number
}

/** One job on a GitHub runner: its folders, variables and steps. Steps see what earlier ones exported. */
export class RunnerJob implements StepHost {
  private readonly exported: Record<string, string> = {}
  private readonly exportedPath: string[] = []
  /** Carried by all the job's processes; the runner finds orphans by it. */
  private readonly trackingId = `github_${randomUUID()}`

  private constructor(
    /** Holds all folders below, and goes away with the job. */
    readonly root: string,
    readonly workspace: string,
    readonly home: string,
    /** Folder of the action. */
    readonly actionPath: string,
    readonly action: ActionDefinition,
    readonly node: string,
    private readonly extraEnv: Readonly<Record<string, string>>
  ) {}

  static async create(options: JobOptions = {}): Promise<RunnerJob> {
    const actionPath = options.action ?? repository
    const action = parseAction(await readFile(join(actionPath, 'action.yml'), 'utf8'))
    const root = await mkdtemp(join(tmpdir(), 'pi-qemu-test-job-'))
    const workspace = options.workspace ?? join(root, 'workspace')
    const home = options.home ?? sharedHome
    const job = new RunnerJob(root, workspace, home, actionPath, action, options.node ?? process.execPath, {
      ...options.env
    })
    for (const dir of [job.temp, job.toolCache, job.userHome, workspace, home]) await mkdir(dir, { recursive: true })
    await writeFile(join(root, 'event.json'), '{}\n')
    return job
  }

  private get usualPath(): string {
    return this.extraEnv['PATH'] ?? process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin'
  }

  /** RUNNER_TEMP. */
  get temp(): string {
    return join(this.root, 'temp')
  }

  /** RUNNER_TOOL_CACHE. */
  get toolCache(): string {
    return join(this.root, 'tools')
  }

  /** HOME. */
  get userHome(): string {
    return join(this.root, 'home')
  }

  /** A step with these inputs; the runner applies action.yml's defaults for the others, and `required` means nothing. */
  step(inputs: Readonly<Record<string, string>> = {}, options: StepOptions = {}): RunnerStep {
    return new RunnerStep(this, inputs, options.env ?? {})
  }

  /** The variables of every step, without the step's own; nothing of the test's own environment but PATH. */
  environment(): Record<string, string> {
    return {
      HOME: this.userHome,
      CI: 'true',
      GITHUB_ACTIONS: 'true',
      GITHUB_ACTION: '__self',
      GITHUB_ACTOR: 'octocat',
      GITHUB_EVENT_NAME: 'push',
      GITHUB_EVENT_PATH: join(this.root, 'event.json'),
      GITHUB_JOB: 'test',
      GITHUB_REF: 'refs/heads/main',
      GITHUB_REPOSITORY: 'octocat/pi-project',
      GITHUB_RUN_ATTEMPT: '1',
      GITHUB_RUN_ID: '1',
      GITHUB_RUN_NUMBER: '1',
      GITHUB_SERVER_URL: 'https://github.com',
      GITHUB_SHA: '0'.repeat(40),
      GITHUB_WORKFLOW: 'CI',
      GITHUB_WORKSPACE: this.workspace,
      RUNNER_ARCH: process.arch === 'arm64' ? 'ARM64' : 'X64',
      RUNNER_ENVIRONMENT: 'github-hosted',
      RUNNER_NAME: 'test',
      RUNNER_OS: 'Linux',
      RUNNER_TEMP: this.temp,
      RUNNER_TOOL_CACHE: this.toolCache,
      RUNNER_TRACKING_ID: this.trackingId,
      PI_QEMU_HOME: this.home,
      ...this.extraEnv,
      ...this.exported,
      PATH: [...this.exportedPath, this.usualPath].join(':')
    }
  }

  /** Takes over what a step exported through GITHUB_ENV and GITHUB_PATH. */
  export(env: Readonly<Record<string, string>>, path: readonly string[]): void {
    Object.assign(this.exported, env)
    this.exportedPath.unshift(...[...path].reverse())
  }

  /**
   * Cancels a running main as the runner does: SIGINT, SIGTERM after 7.5 s, SIGKILL 2.5 s later. Resolves when it
   * ended; its post is the caller's to run.
   */
  async cancel(running: RunningStep, delays: CancelDelays = { term: 7_500, kill: 2_500 }): Promise<StepResult> {
    running.kill('SIGINT')
    const escalation = (
      [
        ['SIGTERM', delays.term],
        ['SIGKILL', delays.term + delays.kill]
      ] as const
    ).map(([signal, delay]) =>
      setTimeout(() => {
        running.kill(signal)
      }, delay)
    )
    try {
      return await running.done
    } finally {
      escalation.forEach(clearTimeout)
    }
  }

  /** Processes of this job's steps that still run, as `pid command line`: the runner kills them when a job ends. */
  async orphans(): Promise<readonly string[]> {
    const found: string[] = []
    for (const pid of (await readdir('/proc')).filter(name => /^\d+$/.test(name))) {
      const read = (name: string): Promise<string> => readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '')
      if ((await read('environ')).split('\0').includes(`RUNNER_TRACKING_ID=${this.trackingId}`)) {
        found.push(`${pid} ${(await read('cmdline')).split('\0').join(' ').trim()}`)
      }
    }
    return found
  }

  /** Kills the job's orphans, as the runner does, and removes its folders. Returns the orphans it found. */
  async dispose(): Promise<readonly string[]> {
    const orphans = await this.orphans()
    for (const orphan of orphans) {
      try {
        process.kill(Number.parseInt(orphan), 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
    await rm(this.root, { recursive: true, force: true, maxRetries: 5 })
    return orphans
  }
}
