import { constants } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { runBare } from './bare'
import { bootPi, leave, type Context, type Pi } from './boot'
import { lostGuest, watchGuest } from './guest'
import { saveDisk } from './images'
import type { Inputs } from './inputs'
import { flushPatience, poweredOff, quitQemu, runFiles } from './qemu'
import { TimeLimit, type Outcome } from './report/errors'
import { bringsBack, workspaceOut } from './workspace-out'

export interface Result {
  readonly outcome: Extract<Outcome, 'success' | 'script-failed' | 'timeout'>
  /** The script's status; 128 + n for signal n; 124 past `run-timeout`. */
  readonly exitCode: number
  /** The signal that ended the script. */
  readonly signal: string | undefined
  /** How it ended, where there was no script whose status says so. */
  readonly verdict?: string | undefined
}

/** A system-mode run, phase by phase. The caller tears down, whatever happens here. */
export async function run(inputs: Inputs, context: Context): Promise<Result> {
  if (inputs.image.kind === 'none') return runBare(inputs, context)
  const pi = await bootPi(inputs, context)
  const result = await runScript(inputs, pi, context)
  if (pi.workspace !== undefined && bringsBack(inputs)) {
    await context.phases.run('workspace-out', 'Bring the workspace back', () => workspaceOut(inputs, pi, context))
  }
  if (inputs.saveImage !== undefined) {
    const target = inputs.saveImage
    await context.phases.run('power-off', 'Switch the Pi off', () => powerOff(pi))
    await context.phases.run('save-image', `Save the disk to ${target.path}`, () =>
      saveDisk({
        image: pi.image,
        overlay: join(context.journal.folder, runFiles.disk),
        target,
        keys: pi.keys,
        ...context
      })
    )
  } else if (!inputs.keepRunning) {
    await context.phases.run('power-off', 'Switch the Pi off', () => leave(pi, inputs, context.log))
  } else {
    context.journal.record({ kind: 'kept' })
    pi.guest.session.close()
    pi.qemu.qmp.close()
  }
  return result
}

async function runScript(
  inputs: Inputs,
  { guest, qemu, serial }: Pi,
  { phases, log, stdout, stderr }: Context
): Promise<Result> {
  if (inputs.run === undefined) return { outcome: 'success', exitCode: 0, signal: undefined }
  const ended = await phases.run('run', 'Run the script', () => {
    log.endGroup() // its output is what the reader came for: not folded away
    const stop = new AbortController()
    const running = guest.run({ onStdout: stdout, onStderr: stderr }, inputs.runTimeout)
    return Promise.race([running, watchGuest(qemu, serial, stop.signal)]).finally(() => {
      stop.abort()
    })
  })
  if (ended.timedOut) return { outcome: 'timeout', exitCode: 124, signal: ended.signal }
  if (ended.signal !== undefined)
    return { outcome: 'script-failed', exitCode: 128 + signalNumber(ended.signal), signal: ended.signal }
  if (ended.code === undefined) {
    await sleep(300) // QEMU's end, if that is why, is noticed a moment later
    throw lostGuest(qemu, serial)
  }
  return { outcome: ended.code === 0 ? 'success' : 'script-failed', exitCode: ended.code, signal: undefined }
}

/** Numbers of the signals as the kernel has them on every Arm. */
function signalNumber(name: string): number {
  return (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`] ?? 0
}

/** How long (ms) an orderly power-off may take. */
const powerOffTimeout = 120_000

async function powerOff({ guest, qemu, serial }: Pi): Promise<void> {
  await guest.powerOff()
  const deadline = Date.now() + powerOffTimeout
  while (qemu.isAlive() && Date.now() < deadline) {
    // Boards without a power switch say so and stand still.
    if (serial.poll().some(line => poweredOff.test(line))) break
    await sleep(100)
  }
  if (qemu.isAlive() && Date.now() >= deadline) {
    throw new TimeLimit({
      symptom: `the guest did not switch off within ${powerOffTimeout / 1000} s`,
      log: serial.mainFile
    })
  }
  guest.session.close()
  if (qemu.isAlive()) await quitQemu(qemu, flushPatience)
}
