import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitForLogin, type SetupRequest } from '../guest'
import { logFiles, Qmp, restrainSecondaries, runFiles } from '../qemu'
import { BootFailure, TimeLimit } from '../report/errors'
import type { Log } from '../report/log'
import { workspaceLabel } from '../workspace'
import { enter, entered, loginOf, type Entered, type Reached } from './connect'
import type { PiState } from './state'

/** ms that a guest has to go down, once it was told to. */
const downTimeout = 120_000
/** ms that its kernel may say that it restarts, without doing so: some have no driver for the board's reset. */
const haltPatience = 10_000

/**
 * Reboots a Pi that was left up; back once it lets us in again, with its clock, CPUs and workspace as after the first boot.
 * @throws BootFailure or TimeLimit if it does not go down, or does not come up
 */
export async function reboot(pi: Reached, log: Log): Promise<Entered> {
  const { state, folder, qemu, serial } = pi
  const { guest } = await enter(pi)
  const qmp = await Qmp.connect(folder, runFiles.qmp)
  try {
    const since = await logSizes(state)
    const reset = qmp.once('RESET')
    await Promise.race([guest.asRoot('sync; reboot').catch(() => undefined), reset, sleep(3000)])
    await wentDown(pi, reset, qmp)
    guest.session.close()
    if (state.spinningSecondaries) await restrainSecondaries(qmp, state.logs, state.uarts, since)
    const login = await loginOf(state)
    const session = await waitForLogin({ qemu, serial, login, timeout: state.bootTimeout, log })
    const back = entered(pi, session)
    await back.guest.setUp({ clock: Date.now(), startCpus: state.startCpus, mount: mountOf(state), script: undefined })
    return back
  } finally {
    qmp.close()
  }
}

/** Waits for the machine's reset, and does it ourselves where the guest's kernel cannot. */
async function wentDown({ qemu, serial }: Reached, reset: Promise<void>, qmp: Qmp): Promise<void> {
  const done = reset.then(() => 'reset' as const)
  const deadline = Date.now() + downTimeout
  let halted: number | undefined
  while ((await Promise.race([done, sleep(250)])) !== 'reset') {
    serial.poll()
    const restarts = serial.tail(2).some(line => /reboot: Restarting system|Reboot failed -- System halted/.test(line))
    halted = restarts ? (halted ?? Date.now()) : undefined
    if (!qemu.isAlive())
      throw new BootFailure({
        symptom: 'QEMU ended when the guest was to reboot',
        cause: 'it was started with `-no-reboot`, or the guest switched itself off',
        log: serial.mainFile
      })
    if (halted !== undefined && Date.now() - halted > haltPatience) await qmp.execute('system_reset')
    if (Date.now() > deadline)
      throw new TimeLimit({
        symptom: `the guest did not go down within ${downTimeout / 1000} s after it was told to reboot`,
        cause: 'a service does not end, or there is no `reboot` in the guest',
        remedy: 'look at the end of the serial log',
        log: serial.mainFile
      })
  }
}

function mountOf({ sync, workspace }: PiState): SetupRequest['mount'] {
  return sync === 'none' ? undefined : { label: workspaceLabel, path: workspace, shared: sync === 'live' }
}

async function logSizes({ logs, uarts }: PiState): Promise<readonly number[]> {
  const sizes = Array.from({ length: uarts }, (_, uart) =>
    stat(join(logs, logFiles.serial(uart))).catch(() => undefined)
  )
  return (await Promise.all(sizes)).map(found => found?.size ?? 0)
}
