import { constants } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context'
import { lostGuest, watchGuest, type ExecOptions, type Guest } from './guest'
import type { Life, SerialLog } from './qemu'
import type { Outcome } from './report/errors'

/** How a script ended. */
export interface ScriptResult {
  readonly outcome: Extract<Outcome, 'success' | 'script-failed' | 'timeout'>
  /** The script's status; 128 + n for signal n; 124 past its time. */
  readonly exitCode: number
  /** The signal that ended the script. */
  readonly signal: string | undefined
}

export interface ScriptPlace {
  readonly guest: Guest
  readonly qemu: Life
  readonly serial: SerialLog
}

/**
 * Runs the script that was laid down in a guest, with its output streamed.
 * @param timeout ms
 * @throws BootFailure if the guest is lost meanwhile
 */
export async function runScript(
  { guest, qemu, serial }: ScriptPlace,
  timeout: number | undefined,
  { stdout, stderr, stdin }: Pick<Context, 'stdout' | 'stderr'> & { readonly stdin?: ExecOptions['input'] }
): Promise<ScriptResult> {
  const stop = new AbortController()
  const running = guest.run({ onStdout: stdout, onStderr: stderr, input: stdin }, timeout)
  const ended = await Promise.race([running, watchGuest(qemu, serial, stop.signal)]).finally(() => {
    stop.abort()
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
