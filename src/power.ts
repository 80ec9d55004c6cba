import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from './context'
import { tellAccess } from './debug'
import { runFirstBoot } from './first-boot'
import { waitForLogin, writeSshConfig, type Guest, type GuestSession } from './guest'
import {
  qemuCommand,
  flushPatience,
  poweredOff,
  quitQemu,
  SerialLog,
  startQemu,
  waitForGdb,
  type Qemu,
  type QemuInstall
} from './qemu'
import { TimeLimit } from './report/errors'
import { bootWithSnapshot, snapshotKey, whyNoSnapshot, type Answer, type Awake } from './snapshot'
import { makeRunFiles, type RunFiles, type RunFilesRequest } from './run-files'

/** Names in `timings` for what is done to switch a Pi on. */
export interface PowerPhases {
  readonly disk: string
  readonly qemu: string
  readonly boot: string
}

export interface PowerOnRequest extends Omit<
  RunFilesRequest,
  'home' | 'journal' | 'log' | 'shared' | 'saves' | 'qemu'
> {
  readonly install: QemuInstall
  readonly names?: PowerPhases
  /** What root's shell runs in a guest that is continued, at a time (ms since 1970); without it none is. */
  readonly setup?: ((clock: number) => string) | undefined
  /** Whether other jobs have this very prepared image. */
  readonly isShared?: Promise<boolean>
}

/** A Pi that lets us in, and the files it runs on. */
export interface PoweredPi extends RunFiles {
  readonly qemu: Qemu
  readonly serial: SerialLog
  readonly session: GuestSession
  /** s from QEMU's start to the login. */
  readonly seconds: number
  /** What became of the set-up, where the guest was told of it already. */
  readonly setup: Answer | undefined
}

const usualNames: PowerPhases = { disk: 'disk', qemu: 'qemu', boot: 'boot' }

/** From a prepared image to a shell in the guest. */
export async function powerOn(request: PowerOnRequest, context: Context): Promise<PoweredPi> {
  const { inputs, board, install, names = usualNames } = request
  const { journal, log, phases, output, record } = context
  const made = await phases.run(names.disk, 'Disk, keys and workspace of this run', () =>
    makeRunFiles({ ...request, ...context, qemu: install.version })
  )
  const { image, login, machine, machineFor, makeDisk, notPiKernel } = made
  output('board', board.name)
  log.debug(qemuCommand(machine, install).join(' '))
  const fidelity = [board.fidelity, ...notPiKernel]
  log.info(`${board.title}: ${fidelity.join('; ')}`)
  const { cpus, memoryMiB, accelerator } = machine
  record.note({ image: image.title, board: board.title, cpus, memoryMiB, accelerator, fidelity })
  let serial = new SerialLog(journal.logs, board.uarts)
  const started = (log: SerialLog, qemu: Qemu): void => {
    serial = log
    record.machine = { qemu, serial }
    tellAccess(machine, serial, context)
  }
  let qemu: Qemu
  let session: GuestSession
  let setup: Answer | undefined
  const began = phases.elapsed
  try {
    const title = `Boot ${image.title} on ${board.name}`
    const awake = await fromSnapshot(request, made, started, context)
    if (awake !== undefined) ({ qemu, session, setup } = awake)
    else if (inputs.firstBoot === 'run') {
      await makeDisk()
      const timeout = inputs.bootTimeout
      const first = { image, machine: machineFor, install, login, timeout, journal, log, started }
      ;({ qemu, session } = await phases.run(names.boot, `${title}, first boot included`, () => runFirstBoot(first)))
    } else {
      const running = (qemu = await phases.run(names.qemu, 'Start QEMU', async () => {
        await makeDisk()
        return startQemu(machine, install, journal)
      }))
      started(serial, qemu)
      const { gdb } = inputs.debugging
      if (gdb?.waits === true)
        await phases.run('gdb', `Wait for gdb on port ${gdb.port}`, () =>
          waitForGdb(running, gdb, inputs.bootTimeout, log)
        )
      const guestLogin = { ...login, port: qemu.sshPort }
      if (inputs.debugging.onFailure !== undefined) await writeSshConfig(journal.folder, guestLogin, made.keyFile)
      session = await phases.run(names.boot, title, () =>
        waitForLogin({ qemu: running, serial, login: guestLogin, timeout: inputs.bootTimeout, log })
      )
    }
  } finally {
    // Which UART is the console shows only now; after a failed boot it is wanted most.
    tellAccess(machine, serial, context)
  }
  const seconds = phases.elapsed - began
  log.info(`SSH answered after ${seconds.toFixed(1)} s`)
  return { ...made, qemu, serial, session, seconds, setup }
}

/** A guest that was booted before, or is now for later runs as well; undefined where it has to be booted plainly. */
async function fromSnapshot(
  { inputs, install, setup, isShared }: PowerOnRequest,
  { image, login, machine, keys, genericKernel }: RunFiles,
  started: (serial: SerialLog, qemu: Qemu) => void,
  context: Context
): Promise<Awake | undefined> {
  const { hits, log, saves, shared } = context
  if (setup === undefined) return undefined
  const why = whyNoSnapshot(inputs, machine)
  if (why !== undefined) {
    log.info(`No booted snapshot (${why})`)
    return undefined
  }
  const key = snapshotKey(image.id, install.version, machine, genericKernel?.id)
  const awake = await bootWithSnapshot({
    ...{ key, image, machine, install, login, keys, setup, shared, started },
    timeout: inputs.bootTimeout,
    mayMake: inputs.saveImage === undefined && (inputs.cache === 'auto' || shared === undefined),
    place: context
  })
  if (awake?.restored === true) hits.note('snapshot')
  const made = awake?.made
  if (made !== undefined && shared?.canSave === true) {
    // It is of use only to those who have the very image that it was booted from.
    void saves.start('snapshot-save', async () => {
      if ((await isShared) === true) await shared.save({ kind: 'snapshot', key }, made.folder, context)
    })
  }
  return awake
}

/** How long (ms) an orderly power-off may take. */
const powerOffTimeout = 120_000

/**
 * Switches a guest off in order, so that its disk is whole.
 * @param timeout ms
 * @throws TimeLimit
 */
export async function powerOff(
  { guest, qemu, serial }: { readonly guest: Guest; readonly qemu: Qemu; readonly serial: SerialLog },
  timeout = powerOffTimeout
): Promise<void> {
  await guest.powerOff()
  const deadline = Date.now() + timeout
  while (qemu.isAlive() && Date.now() < deadline) {
    // Boards without a power switch say so and stand still.
    if (serial.poll().some(line => poweredOff.test(line))) break
    await sleep(100)
  }
  if (qemu.isAlive() && Date.now() >= deadline) {
    throw new TimeLimit({
      symptom: `the guest did not switch off within ${timeout / 1000} s`,
      log: serial.mainFile
    })
  }
  guest.session.close()
  if (qemu.isAlive()) await quitQemu(qemu, flushPatience)
}
