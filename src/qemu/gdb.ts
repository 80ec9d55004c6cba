import { setTimeout as sleep } from 'node:timers/promises'
import type { GdbStub } from '../inputs'
import { BootFailure, TimeLimit, type FailureDetails } from '../report/errors'
import type { Log } from '../report/log'
import type { Life, Qemu } from './process'

/** How often (ms) QEMU is asked whether the machine runs. */
const interval = 200

/**
 * Waits until gdb lets a machine run that was started with its CPUs standing still.
 * @param limit ms
 * @throws TimeLimit if nobody does, BootFailure if QEMU ends meanwhile
 */
export async function waitForGdb(qemu: Qemu, { port }: GdbStub, limit: number, log: Log): Promise<void> {
  log.info('The CPUs stand still until gdb lets them go:')
  log.info(`  gdb-multiarch -ex 'target remote 127.0.0.1:${port}'`)
  const deadline = Date.now() + limit
  while (!(await isRunning(qemu))) {
    if (!qemu.isAlive())
      throw new BootFailure({ symptom: `QEMU ended before gdb let the CPUs go (${qemu.exit() ?? 'status unknown'})` })
    if (Date.now() > deadline)
      throw new TimeLimit({
        symptom: `gdb did not let the CPUs go within ${limit / 1000} s (boot-timeout)`,
        cause: '`gdb` has `,wait` behind its port: nothing is executed before gdb says `continue`',
        remedy: `connect with “target remote 127.0.0.1:${port}” and continue, raise \`boot-timeout\`, or leave out \`,wait\``
      })
    await sleep(interval)
  }
}

/** Why a guest is late whose CPUs somebody has stopped; undefined if they run, or nobody can tell. */
export async function whyStopped({ qmp, isAlive }: Life): Promise<Omit<FailureDetails, 'symptom'> | undefined> {
  if (qmp === undefined || !isAlive() || (await isRunning({ qmp }))) return undefined
  return {
    cause: 'its CPUs stand still: gdb or the monitor has stopped them',
    remedy: 'continue them in time, or raise `boot-timeout`'
  }
}

async function isRunning({ qmp }: Pick<Qemu, 'qmp'>): Promise<boolean> {
  const answer = (await qmp.execute('query-status').catch(() => ({}))) as { readonly status?: string }
  return answer.status === 'running'
}
