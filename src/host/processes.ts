import { readdirSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

/** What tells a process from a later one with the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** Clock ticks from boot to the process's start: field 22 of /proc/PID/stat, see proc(5). */
  readonly startTime: string
}

/** Identity of a running process; undefined if there is none, or only its zombie is left. */
export function identify(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The second field, the name in brackets, may hold blanks and brackets itself.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state, startTime] = [fields[0], fields[19]]
    return state === 'Z' || state === 'X' || startTime === undefined ? undefined : { pid, startTime }
  } catch {
    return undefined
  }
}

export function isAlive(identity: ProcessIdentity): boolean {
  return identify(identity.pid)?.startTime === identity.startTime
}

/** Environment variable that every process of a run carries, and so everything that those start in turn. */
export const runMarker = 'PI_QEMU_RUN'

/** Marks package installations instead: ending dpkg half-way would damage the host. */
export const installMarker = 'PI_QEMU_INSTALL'

/** Processes whose environment has `name=value`, other than this one. */
export function marked(name: string, value: string): readonly ProcessIdentity[] {
  const wanted = `${name}=${value}`
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry) && Number(entry) !== process.pid)
    .flatMap(entry => {
      try {
        const environment = readFileSync(`/proc/${entry}/environ`, 'latin1').split('\0')
        const identity = environment.includes(wanted) ? identify(Number(entry)) : undefined
        return identity === undefined ? [] : [identity]
      } catch {
        return [] // ended meanwhile, or another user's
      }
    })
}

/** Waits until none of the processes lives, at most `ms`; returns those left. */
export async function waitForEnd(
  processes: readonly ProcessIdentity[],
  ms: number
): Promise<readonly ProcessIdentity[]> {
  const deadline = Date.now() + ms
  let left = processes.filter(isAlive)
  while (left.length > 0 && Date.now() < deadline) {
    await sleep(25)
    left = left.filter(isAlive)
  }
  return left
}

/** SIGTERM, a moment of patience, SIGKILL; only to processes that still are who they were. Returns survivors. */
export async function end(processes: readonly ProcessIdentity[], patience = 3000): Promise<readonly ProcessIdentity[]> {
  let left = processes
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    left = left.filter(isAlive)
    for (const { pid } of left) {
      try {
        process.kill(pid, signal)
      } catch {
        // gone in this instant
      }
    }
    left = await waitForEnd(left, patience)
    if (left.length === 0) break
  }
  return left
}
