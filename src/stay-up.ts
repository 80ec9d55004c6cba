import { setTimeout as sleep } from 'node:timers/promises'
import { bootPi, type Context, type Pi } from './boot'
import { GuestSession, knock, lostGuest } from './guest'
import type { Inputs } from './inputs'
import { powerOff } from './power'
import { flushPatience, poweredOff, quitQemu } from './qemu'
import { BootFailure, messageOf, TimeLimit } from './report/errors'
import { keepDisk, type Result } from './run'

/** How often (ms) the guest is looked at. */
const watchInterval = 250

/** How long (ms) a guest may take to switch off where nothing of its disk is kept, before it is ended. */
const throwawayPatience = 60_000

/** How long (ms) the guest may take for each step towards a connection, where that of the boot has broken meanwhile. */
const loginPatience = 8_000

/** What asks a Pi that is up to end. */
export class EndRequest {
  private state: 'early' | 'up' | 'asked' = 'early'
  private tell: (signal: string) => void = () => undefined
  /** Resolves with the name of the signal. */
  readonly asked = new Promise<string>(resolve => {
    this.tell = resolve
  })

  /** From now on there is a guest that can be switched off in order. */
  guestIsUp(): void {
    this.state = 'up'
  }

  /** Takes a signal; false if there is nothing to end in order, or that is going on already. */
  readonly take = (signal: string): boolean => {
    if (this.state !== 'up') return false
    this.state = 'asked'
    this.tell(signal)
    return true
  }
}

/**
 * Boots a Pi that stays until it switches itself off, or is asked to end; then it is switched off in order.
 * @param announce called once it is up
 * @throws BootFailure if it does not come up, or goes away by itself
 */
export async function bootAndStay(
  inputs: Inputs,
  context: Context,
  { request, announce }: { readonly request: EndRequest; readonly announce: (pi: Pi) => void }
): Promise<Result> {
  const pi = await bootPi(inputs, context)
  const started = Date.now()
  request.guestIsUp()
  const signal = await context.phases.run('up', 'The Pi is up', () => {
    announce(pi)
    return untilOff(pi, request.asked)
  })
  if (signal !== undefined) context.log.info(`${signal}: the Pi is switched off in order; once more ends it at once`)
  await context.phases.run('power-off', 'Switch the Pi off', () =>
    signal === undefined ? ended(pi) : off(pi, inputs, context)
  )
  await keepDisk(inputs, pi, context)
  const seconds = ((Date.now() - started) / 1000).toFixed(0)
  const verdict =
    signal === undefined
      ? `The guest switched itself off, ${seconds} s after it was up`
      : `The Pi was switched off, ${seconds} s after it was up`
  return { outcome: 'success', exitCode: 0, signal: undefined, verdict }
}

/** The signal by which the end was asked for; undefined once the guest has switched itself off. */
async function untilOff({ qemu, serial }: Pi, asked: Promise<string>): Promise<string | undefined> {
  let signal: string | undefined
  void asked.then(name => (signal = name))
  for (;;) {
    if (signal !== undefined) return signal
    const lines = serial.poll()
    // Boards without a power switch stand still then.
    if (lines.some(line => poweredOff.test(line))) return undefined
    if (!qemu.isAlive()) {
      await sleep(50) // its last word may still be on the way
      if (qemu.qmp.shutdownReason === 'guest-shutdown') return undefined
      throw new BootFailure({
        symptom: `QEMU ended (${qemu.exit() ?? 'status unknown'})`,
        cause: 'it was killed from outside (out of memory?), or crashed',
        remedy: 'look at the end of the serial log; on a small host lower `memory`',
        log: serial.mainFile
      })
    }
    if (lines.some(line => line.includes('Kernel panic - not syncing'))) {
      await sleep(300) // what follows names the cause
      throw lostGuest(qemu, serial)
    }
    await sleep(watchInterval)
  }
}

/** Ends what is left of a guest that has switched itself off. */
async function ended({ guest, qemu }: Pi): Promise<void> {
  guest.session.close()
  if (qemu.isAlive()) await quitQemu(qemu, flushPatience)
}

/** Switches it off in order; where its disks are thrown away, at any price. */
async function off(pi: Pi, { saveImage, disks }: Inputs, { log }: Pick<Context, 'log'>): Promise<void> {
  const guest = await reachable(pi)
  try {
    await powerOff({ ...pi, guest }, saveImage === undefined ? throwawayPatience : undefined)
  } catch (error) {
    if (!(error instanceof TimeLimit) || saveImage !== undefined) throw error
    log.warn(`${messageOf(error)}, and is ended`)
    await quitQemu(pi.qemu, disks.length > 0 ? flushPatience : undefined)
  }
}

/** The guest by a connection that answers: after a reboot that of the boot does not. */
async function reachable({ guest, login }: Pi): Promise<Pi['guest']> {
  const answers = await Promise.race([
    guest.session.exec('true').then(
      ({ code }) => code === 0,
      () => false
    ),
    sleep(loginPatience, false, { ref: false })
  ])
  if (answers) return guest
  guest.session.close()
  try {
    return guest.over(
      await GuestSession.login(await knock(login.port, loginPatience, login.host), login, loginPatience)
    )
  } catch {
    return guest // it hears nothing, and the time limit ends it
  }
}
