import type { Readable } from 'node:stream'
import type { Context } from '../context'
import type { Inputs } from '../inputs'
import type { Log } from '../report/log'
import { runScript, type ScriptResult } from '../script-run'
import { makeText, printText, readPrinted, scriptEnvironment, tellJob } from '../workflow'
import type { Entered } from './connect'
import { remember, remembered, type PiState } from './state'

export interface LaterScript {
  readonly run: string
  readonly shell: string | undefined
  /** Beyond what the Pi's own step gave its scripts. */
  readonly env: Readonly<Record<string, string>>
  /** This process's. */
  readonly cwd: string
  readonly stdin?: Readable | undefined
  readonly workflow: Inputs['workflow']
}

/** Where a later script starts: where its step does, if that is in the workspace; else in the workspace, or the user's home. */
export function laterDirectory(
  { sync, workspace }: Pick<PiState, 'sync' | 'workspace'>,
  cwd: string
): string | undefined {
  if (sync === 'none') return undefined
  return cwd.startsWith(`${workspace}/`) ? cwd : workspace
}

/**
 * Runs a script in a Pi that was left up, as a step of its own: with the files of its step, and with what the scripts
 * before it told by GITHUB_ENV and GITHUB_PATH.
 */
export async function runLater(
  { guest, qemu, serial, state, folder }: Entered,
  { run, shell, env, cwd, stdin, workflow }: LaterScript,
  { log, stdout, stderr }: Pick<Context, 'stdout' | 'stderr'> & { readonly log: Log }
): Promise<ScriptResult> {
  const { workspace, sync, architecture } = state
  const told = await remembered(folder)
  const passed = told.names.flatMap(name => {
    const value = process.env[name]
    return value === undefined ? [] : [[name, value] as const]
  })
  const all = { ...state.env, ...Object.fromEntries(passed), ...env }
  const ofJob = { env: all, workflow, sync, workspace }
  await guest.setUp({
    clock: Date.now(),
    mount: undefined,
    script: {
      ...{ run, shell, workingDirectory: laterDirectory(state, cwd), paths: told.paths },
      env: scriptEnvironment(ofJob, architecture, guest.folder),
      first: workflow === undefined ? undefined : makeText(guest.folder)
    }
  })
  const result = await runScript({ guest, qemu, serial }, undefined, { stdout, stderr, stdin })
  if (workflow !== undefined) {
    const files = readPrinted(await guest.ask(printText))
    await tellJob(files, ofJob, log)
    await remember(folder, files)
  }
  await guest.ask(own => `rm -rf ${own}/*`)
  return result
}
