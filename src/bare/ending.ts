import { explain, type Symptom } from '../report/diagnosis'
import { BootFailure, TimeLimit, type FailureDetails } from '../report/errors'
import type { Result } from '../run'

/** How a bare kernel's run came to its end. */
export type Ending =
  /** The console showed what was expected. */
  | { readonly kind: 'matched'; readonly line: string }
  /** The guest switched itself off; with semihosting it says with which status. */
  | { readonly kind: 'off'; readonly status?: number }
  | { readonly kind: 'panic'; readonly line: string }
  /** QEMU ended, and not because the guest wanted it. */
  | { readonly kind: 'died'; readonly exit: string }
  | { readonly kind: 'late'; readonly limit: number; readonly input: 'run-timeout' | 'boot-timeout' }

export interface Circumstances {
  readonly expect: RegExp | undefined
  /** Since QEMU's start. */
  readonly seconds: number
  /** The console's last lines. */
  readonly tail: readonly string[]
  /** What the console's last lines are known for. */
  readonly found: Pick<Symptom, 'id' | 'symptom' | 'cause' | 'remedy'> | undefined
  readonly log: string
}

/**
 * The result of a run that ended so.
 * @throws BootFailure if the kernel panicked or QEMU died, TimeLimit if neither pattern nor power-off came in time
 */
export function resultOf(ending: Ending, { expect, seconds, tail, found, log }: Circumstances): Result {
  const pattern = String(expect)
  const shown = tail.length === 0 ? '; the console stayed empty' : `; its last lines:\n${tail.join('\n')}`
  const after = `after ${seconds.toFixed(1)} s`
  const passed = { outcome: 'success', exitCode: 0, signal: undefined } as const
  switch (ending.kind) {
    case 'matched':
      return { ...passed, verdict: `The console showed ${pattern} ${after}: ${ending.line.trim()}` }
    case 'off': {
      const { status = 0 } = ending
      const how = `The guest switched itself off ${after}`
      if (status !== 0)
        return {
          ...passed,
          outcome: 'script-failed',
          exitCode: status,
          verdict: `${how} with status ${status}${shown}`
        }
      return expect === undefined
        ? { ...passed, verdict: how }
        : {
            ...passed,
            ...{ outcome: 'script-failed', exitCode: 1 },
            verdict: `${how}, but its console did not show ${pattern}${shown}`
          }
    }
    case 'panic':
      throw new BootFailure({
        symptom: `${found?.symptom ?? 'the kernel of the guest panicked'} (“${ending.line.trim()}”)`,
        ...(found && explain(found)),
        log
      })
    case 'died':
      throw new BootFailure({
        symptom: `QEMU ended ${after} (${ending.exit})${shown}`,
        cause: 'it crashed, or was ended from outside (out of memory?)',
        remedy: `look at qemu.log beside the serial log; on a small host lower \`memory\``,
        log
      })
    case 'late': {
      const missing =
        expect === undefined ? 'the guest did not switch itself off' : `the console did not show ${pattern}`
      throw new TimeLimit({
        symptom: `${missing} within ${ending.limit / 1000} s (${ending.input})${shown}`,
        ...whyLate(tail, found),
        log
      })
    }
  }
}

function whyLate(
  tail: readonly string[],
  found: Circumstances['found']
): Pick<FailureDetails, 'cause' | 'remedy' | 'see'> {
  if (found !== undefined) return { ...explain(found), cause: `${found.symptom}: ${found.cause}` }
  return tail.length === 0
    ? {
        cause: 'the kernel died before its console was up, or writes to another one',
        remedy: 'check that `kernel`, `dtb` and `board` belong together'
      }
    : { cause: 'it hangs, is slow, or does something else', remedy: 'raise `run-timeout`, or look at the serial log' }
}
