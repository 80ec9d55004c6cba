import { existsSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { lostGuest, Rebooted, waitForLogin, type GuestSession, type Login } from '../guest'
import { waitForEnd } from '../host/processes'
import { readBootText, type PreparedImage } from '../images'
import type { Journal } from '../journal'
import { logFiles, quitQemu, runFiles, SerialLog, startQemu, type Machine, type Qemu, type QemuInstall } from '../qemu'
import { BootFailure, TimeLimit } from '../report/errors'
import type { Log } from '../report/log'

export interface FirstBootRequest {
  readonly image: PreparedImage
  /** The machine for what cmdline.txt says now. */
  readonly machine: (cmdline: string) => Machine
  readonly install: QemuInstall
  readonly login: Omit<Login, 'port'>
  /** ms for all of it. */
  readonly timeout: number
  readonly journal: Journal
  readonly log: Log
  /** Called with each QEMU and its serial log. */
  readonly started: (serial: SerialLog, qemu: Qemu) => void
}

export interface Booted {
  readonly qemu: Qemu
  readonly serial: SerialLog
  readonly session: GuestSession
}

/** More than any image needs; one that never stops is broken. */
const mostReboots = 8
/** How long (ms) a guest may take from closing connections to its reset. */
const downPatience = 90_000
/** How long (ms) a restart may take until the guest counts as halted. */
const haltPatience = 10_000
/** How long (ms) QEMU may take to end once the guest has reset itself. */
const endPatience = 10_000

/**
 * Boots an image as its own cmdline.txt says, and lets it reboot as often as it likes. QEMU would start the same
 * kernel arguments again after a reset; so it ends instead, and is started anew with what cmdline.txt says then, as
 * the firmware of a Pi would. Done when SSH lets us in and systemd has nothing more to start.
 * @throws BootFailure or TimeLimit
 */
export async function runFirstBoot(request: FirstBootRequest): Promise<Booted> {
  const { image, machine, install, login, journal, log, started } = request
  const deadline = Date.now() + request.timeout
  for (let boot = 1; ; boot++) {
    const cmdline = await readBootText(
      join(journal.folder, runFiles.disk),
      image.layout.boot,
      'cmdline.txt',
      journal.folder
    )
    log.info(`Boot ${boot}, cmdline.txt: ${cmdline.trim()}`)
    const plan = machine(cmdline)
    const qemu = await startQemu({ ...plan, extra: [...plan.extra, '-no-reboot'] }, install, journal)
    const serial = new SerialLog(journal.logs, plan.board.uarts)
    started(serial, qemu)
    let session: GuestSession | undefined
    const done = new AbortController()
    const reboot = Promise.race([qemu.qmp.guestReset, halted(serial, done.signal)])
    try {
      const timeout = Math.max(1, deadline - Date.now())
      session = await waitForLogin({ qemu, serial, login: { ...login, port: qemu.sshPort }, timeout, log, reboot })
      await settled(session, { qemu, serial, reboot, deadline })
      // From now on a reboot is the script's, and works as in any other run.
      await qemu.qmp.execute('set-action', { reboot: 'reset' }).catch(() => {
        log.warn('This QEMU cannot change that: a reboot by the script will end it')
      })
      return { qemu, serial, session }
    } catch (error) {
      session?.close()
      if (!(error instanceof Rebooted)) throw error
    } finally {
      done.abort()
    }
    if (boot > mostReboots) {
      await quitQemu(qemu)
      throw new BootFailure({
        symptom: `the guest rebooted ${boot} times without coming up`,
        cause: 'its first boot does not end: a step fails and is tried again',
        remedy: 'look at the serial logs of each boot, or use `first-boot: skip`',
        log: serial.mainFile
      })
    }
    if ((await waitForEnd([qemu.process], endPatience)).length > 0) await quitQemu(qemu)
    qemu.qmp.close()
    log.info('The guest rebooted')
    await makeRoom(journal, plan.board.uarts, boot)
  }
}

/** Resolves once the guest has wanted to restart but stands still: its kernel has no driver for the board's reset. */
async function halted(serial: SerialLog, stop: AbortSignal): Promise<void> {
  let since: number | undefined
  while (!stop.aborted) {
    const isLast = serial.tail(2).some(line => /reboot: Restarting system|Reboot failed -- System halted/.test(line))
    since = isLast ? (since ?? Date.now()) : undefined
    if (since !== undefined && Date.now() - since > haltPatience) return
    await sleep(500, undefined, { ref: false })
  }
  await new Promise(() => undefined) // nobody waits any more
}

/** Waits until systemd has started all it wants to start; other inits are taken as they are. */
async function settled(
  session: GuestSession,
  {
    qemu,
    serial,
    reboot: announced,
    deadline
  }: {
    readonly qemu: Qemu
    readonly serial: SerialLog
    readonly reboot: Promise<void>
    readonly deadline: number
  }
): Promise<void> {
  const reboot = announced.then(() => {
    throw new Rebooted()
  })
  const stop = new AbortController()
  const late = sleep(Math.max(1, deadline - Date.now()), 'late' as const, { signal: stop.signal })
  late.catch(() => undefined)
  const reading = setInterval(() => serial.poll(), 500)
  try {
    const waiting = session.exec('systemctl is-system-running --wait')
    const first = await Promise.race([waiting, reboot, late])
    if (first === 'late') throw new TimeLimit(await unsettled(session, serial))
    // A connection that broke: the guest is on its way down, and the reset follows.
    if (first.code !== undefined) return
    await Promise.race([reboot, sleep(downPatience, undefined, { ref: false })])
    throw lostGuest(qemu, serial)
  } finally {
    stop.abort()
    clearInterval(reading)
  }
}

async function unsettled(session: GuestSession, serial: SerialLog): Promise<TimeLimit['details']> {
  const jobs = session.exec('systemctl list-jobs --no-legend --no-pager').then(({ stdout }) => stdout.trim())
  const waiting = await Promise.race([jobs, sleep(10_000, '', { ref: false })]).catch(() => '')
  return {
    symptom: `the first boot did not end within boot-timeout${waiting === '' ? '' : `; still under way:\n${waiting}`}`,
    cause: 'it is slow, or a unit waits for a person',
    remedy: 'raise `boot-timeout`, or use `first-boot: skip`',
    log: serial.mainFile
  }
}

/** Each boot has its own logs; and what the ended QEMU left behind goes. */
async function makeRoom({ folder, logs }: Journal, uarts: number, boot: number): Promise<void> {
  await rm(join(folder, runFiles.qmp), { force: true })
  for (let uart = 0; uart < uarts; uart++) {
    const log = join(logs, logFiles.serial(uart))
    if (existsSync(log)) await rename(log, log.replace(/(\.\w+)?$/, `-boot${boot}$1`))
  }
}
