import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { evaluate, inputVariable, type ActionDefinition, type WorkflowCommand } from './runner-protocol'
import { commandFiles, RunningStep, type StepResult } from './running-step'

/** What a step needs of its job. */
export interface StepHost {
  readonly action: ActionDefinition
  readonly actionPath: string
  readonly node: string
  /** RUNNER_TEMP. */
  readonly temp: string
  readonly workspace: string
  environment(): Record<string, string>
  export(env: Readonly<Record<string, string>>, path: readonly string[]): void
}

/** What a process of a step gets besides what all steps of the job have. */
export interface LaunchOptions {
  readonly env: Readonly<Record<string, string>>
  /** By default the workspace. */
  readonly cwd?: string
}

/** Starts a process as the runner does, with command files of its own; what it exports reaches later steps. */
export async function launch(
  job: StepHost,
  [program, ...words]: readonly [string, ...string[]],
  { env, cwd = job.workspace }: LaunchOptions,
  then: (result: StepResult) => void = () => undefined
): Promise<RunningStep> {
  const files = join(job.temp, '_runner_file_commands', randomUUID())
  await mkdir(files, { recursive: true })
  for (const name of commandFiles) await writeFile(join(files, name), '')
  const own = Object.fromEntries(commandFiles.map(name => [name, join(files, name)]))
  const child = spawn(program, words, {
    cwd,
    env: { ...job.environment(), ...env, ...own },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  return new RunningStep(child, files, result => {
    job.export(result.env, result.path)
    then(result)
  })
}

/** One `uses:` of the action in a job: its main, and its post. */
export class RunnerStep {
  /** Workflow commands of everything this step ran, in order. */
  readonly commands: WorkflowCommand[] = []
  /** What main saved; post sees it as STATE_<name>. */
  state: Readonly<Record<string, string>> = {}

  constructor(
    private readonly job: StepHost,
    private readonly inputs: Readonly<Record<string, string>>,
    private readonly env: Readonly<Record<string, string>>
  ) {}

  /** Inputs that action.yml does not declare: the runner passes them on and warns. */
  get unexpectedInputs(): readonly string[] {
    return Object.keys(this.inputs).filter(name => !(name in this.job.action.inputs))
  }

  /** Starts main. */
  async start(): Promise<RunningStep> {
    return this.launch(this.job.action.main, {}, result => {
      this.state = result.state
    })
  }

  /** Runs main to its end. */
  async main(): Promise<StepResult> {
    return (await this.start()).done
  }

  /** Starts post, whatever became of main. */
  async startPost(): Promise<RunningStep> {
    const { post } = this.job.action
    if (post === undefined) throw new Error('action.yml names no runs.post')
    const state = Object.entries(this.state).map(([name, value]) => [`STATE_${name}`, value])
    return this.launch(post, Object.fromEntries(state) as Record<string, string>, () => undefined)
  }

  /** Runs post to its end; may be called again. */
  async post(): Promise<StepResult> {
    return (await this.startPost()).done
  }

  private launch(
    script: string,
    state: Record<string, string>,
    then: (result: StepResult) => void
  ): Promise<RunningStep> {
    const { job } = this
    const command = [job.node, join(job.actionPath, script)] as const
    return launch(job, command, { env: { ...this.env, ...this.inputVariables(), ...state } }, result => {
      this.commands.push(...result.commands)
      then(result)
    })
  }

  private inputVariables(): Record<string, string> {
    const variables = { ...this.job.environment(), GITHUB_TOKEN: 'test-token' }
    const defaults = Object.entries(this.job.action.inputs).map(([name, value]) => [name, evaluate(value, variables)])
    const values = { ...Object.fromEntries(defaults), ...this.inputs } as Record<string, string>
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [inputVariable(name), value]))
  }
}
