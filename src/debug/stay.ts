import { existsSync, readlinkSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context'
import { sshConfigFile } from '../guest'
import { isAlive, type ProcessIdentity } from '../host/processes'
import type { Inputs } from '../inputs'
import { readJournal } from '../journal'
import { logFiles, qemuProgram, runFiles } from '../qemu'
import { describeFailure } from '../report/errors'
import { waysIn } from './ways'

/** Name of the file in the run's folder whose appearance ends the wait. */
export const endFile = 'end-debugging'

/** How often (ms) the file, the time and QEMU are looked at. */
const interval = 250

/**
 * Does work that may fail. If it does, and `debug-on-failure` is given, the Pi stays up for that time before the failure
 * goes its way: until the file is touched, the time is over, or QEMU ends.
 * @param failed says in words how the work failed, where it did without throwing
 */
export async function stayOnFailure<T>(
  inputs: Inputs,
  context: Context,
  work: () => Promise<T>,
  failed: (result: T) => string | undefined
): Promise<T> {
  const limit = inputs.debugging.onFailure
  if (limit === undefined) return work()
  const stay = (why: string, letUsIn: boolean): Promise<void> => stayUp({ inputs, limit, why, letUsIn }, context)
  let result: T
  try {
    result = await work()
  } catch (error) {
    await stay(describeFailure(error), false)
    throw error
  }
  const why = failed(result)
  if (why !== undefined) await stay(why, true)
  return result
}

interface Stay {
  readonly inputs: Inputs
  /** ms */
  readonly limit: number
  readonly why: string
  readonly letUsIn: boolean
}

async function stayUp({ inputs, limit, why, letUsIn }: Stay, { journal, log, phases }: Context): Promise<void> {
  const qemu = livingQemu(journal.folder)
  if (qemu === undefined) return
  await phases.run('debug', 'The Pi stays up, for debugging', async () => {
    log.endGroup() // whoever waits for this has to see it
    const folder = folderOf(qemu, journal.folder)
    const config = join(folder, sshConfigFile)
    const file = join(journal.folder, endFile)
    const until = Date.now() + limit
    log.info(why)
    log.info(`The Pi stays up until ${new Date(until).toISOString().slice(0, 19)}Z, or until the end of: touch ${file}`)
    const ways = waysIn({
      ...{ debugging: inputs.debugging, letUsIn, sshConfig: existsSync(config) ? config : undefined },
      serialSocket: join(folder, runFiles.serial(busiestUart(join(journal.logs, relative(journal.folder, folder))))),
      monitorSocket: join(folder, runFiles.monitor)
    })
    for (const way of ways) log.info(way)
    log.info(await ending(qemu, file, until))
  })
}

/** Resolves once the wait is over; says why. */
async function ending(qemu: ProcessIdentity, file: string, until: number): Promise<string> {
  for (;;) {
    if (existsSync(file)) return `${file} is there: done with debugging`
    if (Date.now() >= until) return 'The time for debugging is over (debug-on-failure)'
    if (!isAlive(qemu)) return 'The Pi is gone: done with debugging'
    await sleep(interval)
  }
}

/** The QEMU that was started last, if it lives. */
function livingQemu(folder: string): ProcessIdentity | undefined {
  const started = readJournal(folder).flatMap(entry =>
    entry.kind === 'process' && entry.name === qemuProgram ? [entry.process] : []
  )
  return started.filter(isAlive).at(-1)
}

/** The folder that a QEMU works in: the run's, or that of a part of it, such as `prepare`. */
function folderOf({ pid }: ProcessIdentity, otherwise: string): string {
  try {
    return readlinkSync(`/proc/${pid}/cwd`)
  } catch {
    return otherwise // it has just ended
  }
}

/** The UART with the longest log; boards have two at most. */
function busiestUart(logs: string): number {
  const [first = 0, second = 0] = [0, 1].map(
    uart => statSync(join(logs, logFiles.serial(uart)), { throwIfNoEntry: false })?.size ?? 0
  )
  return second > first ? 1 : 0
}
