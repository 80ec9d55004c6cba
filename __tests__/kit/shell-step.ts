import { randomUUID } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { RunnerJob } from './runner'
import { launch } from './runner-step'
import type { RunningStep, StepResult } from './running-step'

export interface ShellStep {
  readonly run: string
  /** As in a workflow: a command with `{0}` for the script's file. */
  readonly shell?: string
  readonly env?: Readonly<Record<string, string>>
  /** Absolute; by default the workspace. */
  readonly workingDirectory?: string
}

/** The runner's forms of the shells that it knows by name; any other shell is a form itself. */
export const knownShells: Readonly<Record<string, string>> = {
  bash: 'bash --noprofile --norc -eo pipefail {0}',
  sh: 'sh -e {0}',
  python: 'python3 {0}'
}

/** Starts a `run:` step as the runner does: its script in a file, its own command files, and what steps before exported. */
export async function startShellStep(job: RunnerJob, step: ShellStep): Promise<RunningStep> {
  const { run, shell = 'bash -e {0}', env = {}, workingDirectory = job.workspace } = step
  const form = knownShells[shell] ?? shell
  if (!form.includes('{0}')) throw new Error(`\`shell: ${form}\` has no {0} for the script`)
  const script = join(job.temp, `${randomUUID()}.sh`)
  await writeFile(script, run)
  const [program = '', ...words] = form.split(' ').map(word => word.replace('{0}', script))
  return launch(job, [program, ...words], { env, cwd: workingDirectory })
}

/** Runs a `run:` step to its end. */
export async function shellStep(job: RunnerJob, step: ShellStep): Promise<StepResult> {
  return (await startShellStep(job, step)).done
}
