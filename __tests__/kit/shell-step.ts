import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerJob } from './runner'
import { commandFiles, RunningStep, type StepResult } from './running-step'

export interface ShellStep {
  readonly run: string
  /** As in a workflow: a command with `{0}` for the script's file. */
  readonly shell?: string
  readonly env?: Readonly<Record<string, string>>
  /** Absolute; by default the workspace. */
  readonly workingDirectory?: string
}

/** What the runner makes of the shells it knows by name. */
const knownShells: Readonly<Record<string, string>> = {
  bash: 'bash --noprofile --norc -eo pipefail {0}',
  sh: 'sh -e {0}',
  python: 'python3 {0}'
}

/** Starts a `run:` step as the runner does: its script in a file, its own command files, and what steps before exported. */
export async function startShellStep(job: RunnerJob, step: ShellStep): Promise<RunningStep> {
  const { run, shell = 'bash -e {0}', env = {}, workingDirectory = job.workspace } = step
  const files = join(job.temp, '_runner_file_commands', randomUUID())
  await mkdir(files, { recursive: true })
  for (const name of commandFiles) await writeFile(join(files, name), '')
  const script = join(job.temp, `${randomUUID()}.sh`)
  await writeFile(script, run)
  const [program = '', ...words] = (knownShells[shell] ?? shell).split(' ').map(word => word.replace('{0}', script))
  const child = spawn(program, words, {
    cwd: workingDirectory,
    env: { ...job.environment(), ...env, ...Object.fromEntries(commandFiles.map(name => [name, join(files, name)])) },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  return new RunningStep(child, files, ({ env: exported, path }) => {
    job.export(exported, path)
  })
}

/** Runs a `run:` step to its end. */
export async function shellStep(job: RunnerJob, step: ShellStep): Promise<StepResult> {
  return (await startShellStep(job, step)).done
}
