import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { randomBytes } from 'node:crypto'
import { Guest, GuestSession, knock, LoginError, type Login } from '../guest'
import { isAlive } from '../host/processes'
import { readJournal } from '../journal'
import { qemuProgram, SerialLog, type Life } from '../qemu'
import { BootFailure } from '../report/errors'
import type { FoundPi } from './state'

/** A Pi that was left up, as another process than the one that booted it finds it. */
export interface Reached extends FoundPi {
  readonly qemu: Life
  readonly serial: SerialLog
}

/** With a session in it, and a folder of its own there. */
export interface Entered extends Reached {
  readonly guest: Guest
}

/** ms until a guest that was up has to answer; key exchange alone takes seconds on an emulated Pi. */
const answerTimeout = 60_000
const knockTimeout = 10_000

/**
 * Finds the QEMU of a Pi.
 * @throws BootFailure if it has ended
 */
export function reach({ folder, state }: FoundPi): Reached {
  const found = readJournal(folder).flatMap(entry =>
    entry.kind === 'process' && entry.name === qemuProgram ? [entry.process] : []
  )
  const identity = found.at(-1)
  const serial = new SerialLog(state.logs, state.uarts)
  serial.poll() // what was said before is no news
  const alive = (): boolean => identity !== undefined && isAlive(identity)
  if (!alive())
    throw new BootFailure({
      symptom: `the Pi “${state.name}” is not up any more`,
      cause: 'it was switched off, by a script in it say, or its QEMU was killed (out of memory?)',
      remedy: 'look at the end of the serial log',
      log: serial.mainFile
    })
  return { folder, state, serial, qemu: { isAlive: alive, exit: () => undefined } }
}

/** What a login takes. */
export async function loginOf({ ssh, user }: FoundPi['state']): Promise<Login> {
  return {
    host: ssh.host,
    port: ssh.port,
    user: user.name,
    privateKey: await readFile(ssh.keyFile, 'utf8'),
    hostKey: ssh.hostKey === undefined ? undefined : Buffer.from(ssh.hostKey, 'base64')
  }
}

/** A session's own part of a Pi: its files do not meet those of another one at the same time. */
export function entered(pi: Reached, session: GuestSession): Entered {
  const { run, user } = pi.state
  return { ...pi, guest: new Guest(session, user.name, `${run}-${randomBytes(4).toString('hex')}`) }
}

/**
 * Logs in to a Pi that is up.
 * @throws BootFailure if it does not let us in within a minute
 */
export async function enter(pi: Reached): Promise<Entered> {
  const login = await loginOf(pi.state)
  const deadline = Date.now() + answerTimeout
  for (;;) {
    try {
      return entered(
        pi,
        await GuestSession.login(await knock(login.port, knockTimeout, login.host), login, answerTimeout)
      )
    } catch (error) {
      if (!(error instanceof LoginError)) throw error
      if (Date.now() < deadline && pi.qemu.isAlive()) {
        await sleep(250)
        continue
      }
      throw new BootFailure({
        symptom: `the Pi “${pi.state.name}” does not answer over SSH: ${error.message}`,
        cause: 'it hangs, reboots by itself, or its network or SSH server was stopped',
        remedy: `look at \`${pi.state.name} log\`; after a reboot of its own use \`${pi.state.name} reboot\`, which waits for it`,
        log: pi.serial.mainFile
      })
    }
  }
}
