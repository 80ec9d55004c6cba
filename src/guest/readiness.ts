import { setTimeout as sleep } from 'node:timers/promises'
import { whyStopped } from '../qemu/gdb'
import type { Life } from '../qemu/process'
import type { SerialLog } from '../qemu/serial'
import { diagnose, explain, recognise } from '../report/diagnosis'
import { BootFailure, messageOf, TimeLimit, type FailureDetails } from '../report/errors'
import type { Log } from '../report/log'
import { GuestSession, knock, LoginError, type Login } from './ssh'

/** How often (ms) the console and QEMU are looked at. */
const watchInterval = 200
/**
 * How long (ms) one knock waits for the SSH server's greeting before the next: the first, and at most. A knock that met
 * a guest without an address is passed on by QEMU only 6 s later (libslirp, TCP's first retransmission), so the first is
 * short; a server that is slow to greet gets more time with each.
 */
const knockTimeouts = { first: 1500, last: 8000 } as const
/** How often (ms) a guest that has sent no packet is tried all the same: it may have an address and nothing to say. */
const silentInterval = 15_000
/** Time (ms) for a login, key exchange on an emulated CPU included. */
const loginTimeout = 120_000
/**
 * How long (ms) refused logins are tried again: while systemd boots, it lets nobody but root in, and says so only
 * after authentication (pam_nologin).
 */
const refusalPatience = 90_000
/** Lines of console shown with a failure. */
const shownLines = 60

export interface Boot {
  readonly qemu: Life
  readonly serial: SerialLog
  /** ms from now. */
  readonly timeout: number
  readonly log: Log
  /** How long (ms) to wait between knocks at a door that is shut. */
  readonly knockInterval?: number
  /** Resolves if the guest reboots meanwhile; then the waiting ends with {@link Rebooted}. */
  readonly reboot?: Promise<void>
}

/** The guest rebooted before it let us in. */
export class Rebooted extends Error {}

/**
 * Waits until the guest lets us in over SSH, and fails as soon as it is known that it never will.
 * @throws BootFailure with the cause the console shows; TimeLimit after `timeout`
 */
export async function waitForLogin(boot: Boot & { readonly login: Login }): Promise<GuestSession> {
  const stop = new AbortController()
  return watchBoot(boot, knocking(boot, stop.signal), stop)
}

/**
 * Waits for a sign of life from a guest that boots, and fails as soon as it is known that there never will be one.
 * @throws BootFailure with the cause the console shows; TimeLimit after `timeout`
 */
export async function watchBoot<T>(boot: Boot, sign: Promise<T>, stop = new AbortController()): Promise<T> {
  try {
    const waiting = [sign, watching(boot, stop.signal)]
    const rebooting = boot.reboot?.then(() => {
      throw new Rebooted()
    })
    return await Promise.race(rebooting === undefined ? waiting : [rebooting, ...waiting])
  } catch (error) {
    boot.serial.poll()
    if (!(error instanceof Rebooted)) showConsole(boot)
    throw error
  } finally {
    stop.abort()
  }
}

async function knocking(
  { login, qemu, serial, knockInterval = 100 }: Boot & { readonly login: Login },
  stop: AbortSignal
): Promise<GuestSession> {
  let refusedSince: number | undefined
  let patience: number = knockTimeouts.first
  for (;;) {
    await onNetwork(qemu, stop)
    stop.throwIfAborted()
    const knocked = Date.now()
    try {
      const session = await GuestSession.login(await knock(login.port, patience, login.host), login, loginTimeout)
      if (stop.aborted) session.close()
      return session
    } catch (error) {
      if (!(error instanceof LoginError)) throw error
      if (error.refused && qemu.isAlive()) {
        refusedSince ??= Date.now()
        if (Date.now() - refusedSince > refusalPatience) throw refusal(login, error, serial)
      }
      if (Date.now() - knocked >= patience) patience = nextPatience(patience)
      await sleep(error.refused ? 1500 : knockInterval)
    }
  }
}

/** How long (ms) the next knock waits after one that waited in vain. */
export function nextPatience(patience: number): number {
  return Math.min(patience * 1.5, knockTimeouts.last)
}

/** Waits until the guest has sent a packet, or has been silent for long. */
async function onNetwork({ firstPacket }: Life, stop: AbortSignal): Promise<void> {
  const until = Date.now() + silentInterval
  while (firstPacket !== undefined && Date.now() < until && !stop.aborted) {
    if (await firstPacket.hasBeenSent()) return
    await sleep(100)
  }
}

function refusal({ user }: Login, error: LoginError, serial: SerialLog): BootFailure {
  return new BootFailure({
    symptom: `the guest does not let ${user} in over SSH: ${error.message}`,
    cause: 'the user may not log in (shell, account or sshd settings), or the key in `ssh-key` is not accepted',
    remedy: 'check `user`; with `provision: none`, check `ssh-key`',
    log: serial.mainFile
  })
}

async function watching({ qemu, serial, timeout, log }: Boot, stop: AbortSignal): Promise<never> {
  const started = Date.now()
  let reported = started
  let spoke = started
  for (;;) {
    await sleep(watchInterval, undefined, { signal: stop })
    const lines = serial.poll()
    if (lines.length > 0) spoke = Date.now()
    if (diagnose(lines) !== undefined || diagnose(serial.tail(1), Date.now() - spoke) !== undefined) {
      // What follows within a moment often names the cause better.
      await sleep(500, undefined, { signal: stop })
      serial.poll()
      const found = diagnose(serial.tail(shownLines), Date.now() - spoke)
      if (found !== undefined) {
        const { row, line } = found
        throw new BootFailure({
          symptom: `${row.symptom} (“${line.trim()}”)`,
          ...explain(row),
          log: serial.mainFile
        })
      }
    }
    if (!qemu.isAlive()) {
      throw new BootFailure({
        symptom: `QEMU ended while the guest was booting (${qemu.exit() ?? 'status unknown'})`,
        cause: 'it was killed from outside (out of memory?), crashed, or the guest switched itself off',
        remedy: 'look at the end of the serial log; on a small host lower `memory`',
        log: serial.mainFile
      })
    }
    if (Date.now() - started > timeout)
      throw new TimeLimit({ ...tooSlow(serial, timeout), ...(await whyStopped(qemu)) })
    if (Date.now() - reported > 15_000) {
      reported = Date.now()
      log.info(
        `Still booting after ${Math.round((reported - started) / 1000)} s: ${serial.tail(1)[0]?.slice(0, 100) ?? 'nothing on the console yet'}`
      )
    }
  }
}

/** What the console tells about a guest that is up, or not, but does not answer. */
export function tooSlow(serial: Pick<SerialLog, 'bytes' | 'tail' | 'mainFile'>, timeout: number): FailureDetails {
  const symptom = `SSH did not answer within ${timeout / 1000} s (boot-timeout)`
  const log = serial.mainFile
  if (serial.bytes === 0) {
    return {
      symptom: `${symptom}; the console stayed empty`,
      cause: 'the kernel died before its console was up, or writes to another one',
      remedy: 'check `kernel` and `dtb`: they have to belong to the board',
      see: 'boot-timeout',
      log
    }
  }
  const up = serial
    .tail(shownLines)
    .some(line => /login:|Reached target.*(?:Multi-User|Graphical)|Startup finished|mini: up/.test(line))
  return up
    ? {
        symptom: `${symptom}; the guest is up, but its SSH server does not answer`,
        cause: 'no SSH server is enabled in the image, or the guest has no network',
        remedy: 'use `provision: auto`, or enable SSH in the image',
        see: 'boot-timeout',
        log
      }
    : { symptom: `${symptom}; the guest was still booting`, ...whySlow(serial), log }
}

function whySlow(serial: Pick<SerialLog, 'tail'>): Pick<FailureDetails, 'cause' | 'remedy' | 'see'> {
  const found = recognise('late', serial.tail(shownLines).join('\n'))
  if (found === undefined)
    return {
      cause: 'it is slow, or hangs',
      remedy: 'raise `boot-timeout`, or look at the serial log',
      see: 'boot-timeout'
    }
  const { row, line } = found
  return { ...explain(row), cause: `${row.symptom} (“${line.trim()}”): ${row.cause}` }
}

function showConsole({ serial, log }: Boot): void {
  const lines = serial.tail(shownLines)
  log.group(`Serial console, last ${lines.length} lines`)
  for (const line of lines) log.info(line)
  log.endGroup()
}

/** Fails once QEMU has ended or the guest's kernel has panicked; the connection alone would notice much later. */
export async function watchGuest(qemu: Life, serial: SerialLog, stop: AbortSignal): Promise<never> {
  for (;;) {
    await sleep(watchInterval, undefined, { signal: stop })
    if (!qemu.isAlive() || serial.poll().some(line => /Kernel panic - not syncing/.test(line))) {
      await sleep(300, undefined, { signal: stop })
      throw lostGuest(qemu, serial)
    }
  }
}

/** The message of a broken connection, with what QEMU and the console know about it. */
export function lostGuest(qemu: Life, serial: SerialLog, error?: unknown): BootFailure {
  serial.poll()
  const found = diagnose(serial.tail(shownLines))
  const reason = error === undefined ? '' : ` (${messageOf(error)})`
  return new BootFailure(
    qemu.isAlive()
      ? {
          symptom:
            found === undefined
              ? `the connection to the guest broke${reason}`
              : `${found.row.symptom} (“${found.line.trim()}”)`,
          cause: 'the guest hangs, rebooted, or its SSH server ended',
          remedy: 'look at the serial log',
          ...(found && explain(found.row)),
          log: serial.mainFile
        }
      : {
          symptom: `QEMU ended while the script was running (${qemu.exit() ?? 'status unknown'})`,
          cause: 'it was killed from outside (out of memory?), crashed, or the script switched the guest off',
          remedy: 'look at the end of the serial log; on a small host lower `memory`',
          log: serial.mainFile
        }
  )
}
