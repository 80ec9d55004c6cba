import { join } from 'node:path'
import { runBare } from './bare'
import { bootPi, leave, type Context, type Pi } from './boot'
import { stayOnFailure } from './debug'
import { saveDisk } from './images'
import type { Inputs } from './inputs'
import { keepUp, remember } from './later'
import { powerOff } from './power'
import { runFiles } from './qemu'
import { collect } from './report/collect'
import { runScript, type ScriptResult } from './script-run'
import { runUserMode } from './user-mode'
import { printText, readPrinted, tellJob } from './workflow'
import { bringsBack, workspaceOut } from './workspace-out'

/** How a run ended. */
export interface Result extends ScriptResult {
  /** How it ended, where there was no script whose status says so. */
  readonly verdict?: string | undefined
}

/** A run, phase by phase; in system mode unless the inputs say otherwise. The caller tears down, whatever happens here. */
export async function run(inputs: Inputs, context: Context): Promise<Result> {
  if (inputs.mode === 'user') return runUserMode(inputs, context)
  if (inputs.image.kind === 'none') return runBare(inputs, context)
  const { pi, result } = await stayOnFailure(
    inputs,
    context,
    async () => {
      const booted = await bootPi(inputs, context)
      return { pi: booted, result: await ranScript(inputs, booted, context) }
    },
    ({ result: { outcome, exitCode } }) =>
      outcome === 'success' ? undefined : `The script ended with status ${exitCode} (${outcome})`
  )
  if (inputs.reportDir !== undefined) {
    const failed = result.outcome !== 'success'
    await context.phases.run('report', 'What the guest knows of itself', () =>
      collect(inputs, { ...context, logs: context.journal.logs }, failed)
    )
  }
  let { workspace } = pi
  if (workspace !== undefined && bringsBack(inputs)) {
    const volume = workspace
    const sent = await context.phases.run('workspace-out', 'Bring the workspace back', () =>
      workspaceOut(inputs, { guest: pi.guest, workspace: volume }, context)
    )
    workspace = { ...volume, sent }
  }
  if (inputs.saveImage !== undefined) {
    await context.phases.run('power-off', 'Switch the Pi off', () => powerOff(pi))
    await keepDisk(inputs, pi, context)
  } else if (!inputs.keepRunning) {
    await context.phases.run('power-off', 'Switch the Pi off', () => leave(pi, inputs, context.log))
  } else {
    await keepUp(inputs, { ...pi, workspace }, context)
  }
  return result
}

/** Writes the disk of a Pi that is switched off to where `save-image` wants it, if it does. */
export async function keepDisk({ saveImage: target }: Inputs, { image, keys }: Pi, context: Context): Promise<void> {
  if (target === undefined) return
  const disk = { path: join(context.journal.folder, runFiles.disk), format: 'qcow2' } as const
  await context.phases.run('save-image', `Save the disk to ${target.path}`, () =>
    saveDisk({ image, disk, target, keys, ...context })
  )
}

async function ranScript(inputs: Inputs, pi: Pi, context: Context): Promise<Result> {
  if (inputs.run === undefined) return { outcome: 'success', exitCode: 0, signal: undefined }
  return context.phases.run('run', 'Run the script', async () => {
    context.log.endGroup() // its output is what the reader came for: not folded away
    const result = await runScript(pi, inputs.runTimeout, context)
    if (inputs.workflow !== undefined) {
      const told = readPrinted(await pi.guest.ask(printText))
      await tellJob(told, inputs, context.log)
      if (inputs.keepRunning) await remember(context.journal.folder, told)
    }
    return result
  })
}
