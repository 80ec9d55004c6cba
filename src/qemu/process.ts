import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { goingOn } from '../host/going-on'
import { end, identify, isAlive, waitForEnd, type ProcessIdentity } from '../host/processes'
import type { Journal } from '../journal'
import { explain, recognise } from '../report/diagnosis'
import { BootFailure, messageOf } from '../report/errors'
import { waitsForGdb } from './access'
import { listensFor, logFiles, qemuArguments, runFiles, type Machine } from './argv'
import { FirstPacket } from './first-packet'
import type { Start } from './probe'
import { Qmp } from './qmp'
import { restrainSecondaries } from './secondaries'

/** A running QEMU. It does not depend on this process: it may outlive it. */
export interface Qemu {
  readonly process: ProcessIdentity
  readonly qmp: Qmp
  /** Where the guest's SSH is at the address of its login: a port of the host, or 22 on a tap; 0 for a bare kernel. */
  readonly sshPort: number
  /** Undefined where the guest's first packet is not waited for. */
  readonly firstPacket?: Pick<FirstPacket, 'hasBeenSent'> | undefined
  isAlive(): boolean
  /** How it ended, once it has. */
  exit(): string | undefined
}

/** What tells of the life of a QEMU. */
export type Life = Pick<Qemu, 'isAlive' | 'exit' | 'firstPacket'> & Partial<Pick<Qemu, 'qmp'>>

/** The program for a 64- or 32-bit Arm guest; the 64-bit one runs both. */
export const qemuProgram = 'qemu-system-aarch64'

const startTimeout = 15_000

/** Program and arguments of a machine. */
export function qemuCommand(machine: Machine, { program, arguments: first }: Start): readonly [string, ...string[]] {
  return [program, ...first, ...qemuArguments(machine)]
}

/** A secret that the user hands to QEMU by `qemu-args` (QEMU's `-object secret`). */
export function withoutSecret(word: string): string {
  return word.startsWith('secret') ? word.replace(/\bdata=[^,]*/, 'data=***') : word
}

/** The socket appears a moment before QEMU listens on it: until then a refusal is no answer. */
async function connect({ folder, logs }: Journal, patient: () => boolean): Promise<Qmp> {
  for (;;) {
    try {
      return await Qmp.connect(folder, runFiles.qmp, undefined, join(logs, logFiles.qmp))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ECONNREFUSED' || !patient()) throw error
      await sleep(20)
    }
  }
}

/**
 * Starts QEMU in the run's folder and waits until it listens.
 * @param stdin file for its standard input
 * @throws BootFailure with QEMU's own words if it refuses
 */
export async function startQemu(machine: Machine, install: Start, journal: Journal, stdin?: string): Promise<Qemu> {
  const { folder, logs } = journal
  const [program, ...args] = qemuCommand(machine, install)
  await goingOn()
  writeFileSync(join(logs, logFiles.argv), [program, ...args.map(withoutSecret), ''].join('\n'))
  const log = openSync(join(logs, logFiles.qemu), 'a')
  const input = stdin === undefined ? undefined : openSync(stdin, 'r')
  const child = spawn(program, args, {
    cwd: folder,
    env: { ...process.env, ...install.env },
    detached: true,
    stdio: [input ?? 'ignore', log, log]
  })
  for (const file of [log, input]) if (file !== undefined) closeSync(file)
  let exit: string | undefined
  const ended = (): string | undefined => exit
  child.on('exit', (code, signal) => {
    exit = signal === null ? `status ${code ?? '?'}` : `signal ${signal}`
  })
  child.on('error', error => {
    exit = messageOf(error)
  })
  child.unref()
  const identity = child.pid === undefined ? undefined : identify(child.pid)
  if (identity !== undefined) {
    const patience = machine.disks.length > 0 ? flushPatience : undefined
    journal.record({ kind: 'process', name: qemuProgram, process: identity, patience })
  }

  const deadline = Date.now() + startTimeout
  while (!existsSync(join(folder, runFiles.qmp)) && exit === undefined && Date.now() < deadline) await sleep(20)
  if (exit !== undefined || identity === undefined) throw refused(logs, exit ?? 'no process')
  try {
    const qmp = await connect(journal, () => exit === undefined && Date.now() < deadline)
    const { board, accelerator, clock, cpusAtBoot } = machine
    if (board.spinningSecondaries && cpusAtBoot === undefined && accelerator !== 'kvm' && clock === 'host')
      await restrainSecondaries(qmp, logs, board.uarts)
    const sshPort = await sshPortOf(machine, qmp)
    // It may be over before there is an answer.
    if (!machine.hasDisk && machine.standsStill !== true && !waitsForGdb(machine))
      await qmp.execute('cont').catch(() => undefined)
    const firstPacket = listensFor(machine) ? new FirstPacket(join(folder, runFiles.packets), qmp) : undefined
    return {
      process: identity,
      qmp,
      sshPort,
      firstPacket,
      isAlive: () => exit === undefined && isAlive(identity),
      exit: ended
    }
  } catch (error) {
    await sleep(50) // the exit, if that is why, is on its way
    const why = ended() ?? messageOf(error)
    // It would hold the disk of another attempt.
    await end([identity])
    throw refused(logs, why)
  }
}

/**
 * Ends QEMU at once; the disk of a run is thrown away, so there is nothing to flush.
 * @param patience ms until it is left to the teardown, which kills it: more where it has the user's disks to write out
 */
export async function quitQemu({ qmp, process: identity }: Qemu, patience = 3000): Promise<boolean> {
  await Promise.race([qmp.execute('quit').catch(() => undefined), sleep(1000, undefined, { ref: false })])
  qmp.close()
  return (await waitForEnd([identity], patience)).length === 0
}

async function sshPortOf({ hasDisk, network }: Machine, qmp: Qmp): Promise<number> {
  if (!hasDisk) return 0
  return network?.kind === 'tap' ? 22 : sshPortIn(await qmp.human('info usernet'))
}

/** The port that the kernel chose for SSH, in the monitor's table of connections; an address of `*` is any. */
export function sshPortIn(usernet: string): number {
  const port = Number(/TCP\[HOST_FORWARD\]\s+\d+\s+(?:[\d.]+|\*)\s+(\d+)\s+\S+\s+22\s/.exec(usernet)?.[1])
  if (!Number.isInteger(port)) throw new Error(`no SSH forward in:\n${usernet}`)
  return port
}

/** How long (ms) QEMU may take to write the user's disks out when it ends. */
export const flushPatience = 60_000

function refused(logs: string, exit: string): BootFailure {
  const log = join(logs, logFiles.qemu)
  const text = existsSync(log) ? readFileSync(log, 'utf8').trim() : ''
  const known = recognise('qemu', text)
  return new BootFailure({
    symptom: `QEMU did not start (${exit})${text === '' ? '' : `:\n${text.split('\n').slice(-6).join('\n')}`}`,
    ...(known && explain(known.row))
  })
}
