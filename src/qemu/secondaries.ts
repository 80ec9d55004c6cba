import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tryTool } from '../host/exec'
import { logFiles } from './argv'
import type { Qmp } from './qmp'

/** What a kernel says once all its CPUs run: 64- and 32-bit Arm. */
const broughtUp = /smp: Brought up|SMP: Total of/
/** How long (ms) a kernel may take until then; what is no Linux never says it. */
const patience = 20_000
const interval = 100

/**
 * Until a Pi's kernel starts the other CPUs, they spin: QEMU's boot code has them wait for an event, which is no waiting
 * when each CPU has a thread of its own. On a host with few CPUs they take most of the time from the one that boots:
 * kept on one of the host's until then, they do not. Affinity needs no privilege, and is given back.
 * @param since where in the log of each UART this boot begins (bytes)
 */
export async function restrainSecondaries(
  qmp: Qmp,
  logs: string,
  uarts: number,
  since: readonly number[] = []
): Promise<void> {
  const allowed = await allowedCpus()
  const last = allowed.at(-1)
  if (allowed.length < 2 || last === undefined) return
  const cpus = (await qmp.execute('query-cpus-fast')) as readonly { readonly 'thread-id': number }[]
  const threads = cpus.slice(1).map(cpu => cpu['thread-id'])
  await pin(threads, String(last))
  void released(logs, uarts, since).then(() => pin(threads, allowed.join(',')))
}

async function released(logs: string, uarts: number, since: readonly number[]): Promise<void> {
  const files = Array.from({ length: uarts }, (_, uart) => join(logs, logFiles.serial(uart)))
  for (const end = Date.now() + patience; Date.now() < end;) {
    await sleep(interval, undefined, { ref: false })
    const texts = await Promise.all(files.map(file => readFile(file, 'latin1').catch(() => '')))
    if (texts.some((text, uart) => broughtUp.test(text.slice(since[uart])))) return
  }
}

async function pin(threads: readonly number[], cpus: string): Promise<void> {
  // A thread may be gone by now, with its QEMU.
  for (const thread of threads)
    await tryTool('taskset', ['--pid', '--cpu-list', cpus, String(thread)]).catch(() => ({}))
}

/** The CPUs this process may use, as in `0-3,8` of proc(5)'s Cpus_allowed_list. */
export function cpuList(text: string): readonly number[] {
  return text
    .trim()
    .split(',')
    .filter(part => /^\d+(-\d+)?$/.test(part))
    .flatMap(part => {
      const [from = 0, to = from] = part.split('-').map(Number)
      return Array.from({ length: to - from + 1 }, (_, at) => from + at)
    })
}

async function allowedCpus(): Promise<readonly number[]> {
  const status = await readFile('/proc/self/status', 'latin1').catch(() => '')
  return cpuList(/^Cpus_allowed_list:\s*(.*)$/m.exec(status)?.[1] ?? '')
}
