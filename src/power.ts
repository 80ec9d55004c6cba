import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context'
import { runFirstBoot } from './first-boot'
import { waitForLogin, type Guest, type GuestSession } from './guest'
import {
  qemuCommand,
  flushPatience,
  poweredOff,
  quitQemu,
  SerialLog,
  startQemu,
  type Qemu,
  type QemuInstall
} from './qemu'
import { TimeLimit } from './report/errors'
import { makeRunFiles, type RunFiles, type RunFilesRequest } from './run-files'

/** Names in `timings` for what is done to switch a Pi on. */
export interface PowerPhases {
  readonly disk: string
  readonly qemu: string
  readonly boot: string
}

export interface PowerOnRequest extends Omit<RunFilesRequest, 'home' | 'journal' | 'log'> {
  readonly install: QemuInstall
  readonly names?: PowerPhases
}

/** A Pi that lets us in, and the files it runs on. */
export interface PoweredPi extends RunFiles {
  readonly qemu: Qemu
  readonly serial: SerialLog
  readonly session: GuestSession
  /** s from QEMU's start to the login. */
  readonly seconds: number
}

const usualNames: PowerPhases = { disk: 'disk', qemu: 'qemu', boot: 'boot' }

/** From a prepared image to a shell in the guest. */
export async function powerOn(request: PowerOnRequest, context: Context): Promise<PoweredPi> {
  const { inputs, board, install, names = usualNames } = request
  const { home, journal, log, phases, output } = context
  const made = await phases.run(names.disk, 'Disk, keys and workspace of this run', () =>
    makeRunFiles({ ...request, home, journal, log })
  )
  const { image, login, machine, machineFor, notPiKernel } = made
  output('board', board.name)
  log.debug(qemuCommand(machine, install).join(' '))
  log.info(`${board.title}: ${[board.fidelity, ...notPiKernel].join('; ')}`)
  let serial = new SerialLog(journal.logs, board.uarts)
  let qemu: Qemu
  let session: GuestSession
  const began = phases.elapsed
  try {
    const title = `Boot ${image.title} on ${board.name}`
    if (inputs.firstBoot === 'run') {
      const [timeout, started] = [inputs.bootTimeout, (log: SerialLog) => (serial = log)]
      const first = { image, machine: machineFor, install, login, timeout, journal, log, started }
      ;({ qemu, session } = await phases.run(names.boot, `${title}, first boot included`, () => runFirstBoot(first)))
    } else {
      const running = (qemu = await phases.run(names.qemu, 'Start QEMU', () => startQemu(machine, install, journal)))
      output('serial-log', serial.mainFile)
      const guestLogin = { ...login, port: qemu.sshPort }
      session = await phases.run(names.boot, title, () =>
        waitForLogin({ qemu: running, serial, login: guestLogin, timeout: inputs.bootTimeout, log })
      )
    }
  } finally {
    // Which UART is the console shows only now; after a failed boot it is wanted most.
    output('serial-log', serial.mainFile)
  }
  const seconds = phases.elapsed - began
  log.info(`SSH answered after ${seconds.toFixed(1)} s`)
  return { ...made, qemu, serial, session, seconds }
}

/** How long (ms) an orderly power-off may take. */
const powerOffTimeout = 120_000

/** Switches a guest off in order, so that its disk is whole. */
export async function powerOff({
  guest,
  qemu,
  serial
}: {
  readonly guest: Guest
  readonly qemu: Qemu
  readonly serial: SerialLog
}): Promise<void> {
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
