import { readdirSync, readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Emulator } from '../platforms'
import { GdbRemote } from './gdb-remote'

/** What a program was at when it got SIGILL. */
export interface Fault {
  /** Address in the program's memory. */
  readonly address: number
  /** Whether a 32-bit Arm executed Thumb instructions. */
  readonly thumb: boolean
  /** The four bytes before the address, and up to four from it on; empty where they cannot be read. */
  readonly before: Buffer
  readonly bytes: Buffer
  /** The auxiliary vector, and the emulator's map as /proc shows it. */
  readonly vector: Buffer
  readonly maps: string
}

/** GDB's numbers of registers, in hexadecimal, and the bit of the status that tells Thumb. */
const registers: Readonly<
  Partial<Record<Emulator['name'], { readonly counter: string; readonly status?: { name: string; thumb: number } }>>
> = {
  arm: { counter: 'f', status: { name: '19', thumb: 0x20 } },
  aarch64: { counter: '20' }
}

/** Emulators whose programs can be watched. */
export const canWatch = (name: Emulator['name']): boolean => registers[name] !== undefined

/** SIGILL by GDB's numbers, and what QEMU says of signals that these do not have. */
const [sigill, nameless] = [4, 0x8f]
/** A program that uses signals in earnest is left alone: with each of them QEMU translates all code anew. */
const patience = 100

/** Faults that were seen; the newest last. */
export interface Watch {
  readonly faults: readonly Fault[]
  /** Resolves when what has come is worked up. */
  readonly settled: () => Promise<void>
}

/**
 * Looks at a program from QEMU's gdb port, which stands still at the start until we come. It stops the program at each
 * signal before the program sees it, and nowhere else; so nothing is slower, and a program that handles SIGILL itself
 * gets it. QEMU (7.2 and 10 alike) takes no care of two threads in that state: at the first other signal of a program
 * with threads we go, and that without an answer, for then QEMU delivers the signal as if we had not been there. What
 * remains: if a program's first signals go to several threads within a moment, one may get lost.
 */
export function watch(
  socket: Socket,
  pid: number,
  name: Emulator['name'],
  limits = { patience }
): Watch & { readonly begin: () => void } {
  const faults: Fault[] = []
  let signals = 0
  let work = Promise.resolve()
  const remote = new GdbRemote(socket, (text, acknowledge) => {
    const stop = /^[TS]([0-9a-f]{2})/.exec(text)?.[1]
    // How it ended.
    if (stop === undefined) {
      acknowledge()
      return
    }
    const signal = Number.parseInt(stop, 16)
    const alone = threads(pid) === 1
    signals++
    if (signal !== sigill && (!alone || signals > limits.patience || signal === nameless)) {
      remote.end()
      return
    }
    acknowledge()
    if (signal !== sigill) {
      remote.tell(`C${stop}`)
      return
    }
    work = work.then(async () => {
      const fault = await examine(remote, pid, name)
      if (fault !== undefined) faults.push(fault)
      remote.tell(`C${stop}`)
      if (!alone || signals > limits.patience) remote.end()
    })
  })
  return {
    faults,
    settled: () => work,
    begin: () => {
      remote.tell('c')
    }
  }
}

/** QEMU has a thread for each of the program's, and one for itself. */
function threads(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length - 1
  } catch {
    return 1 // it has ended
  }
}

async function examine(remote: GdbRemote, pid: number, name: Emulator['name']): Promise<Fault | undefined> {
  const { counter, status } = registers[name] ?? {}
  if (counter === undefined) return undefined
  // QEMU up to 8 answers for single registers once it was asked for their description.
  await remote.ask('qXfer:features:read:target.xml:0,40')
  const address = number(await remote.ask(`p${counter}`))
  if (address === undefined) return undefined
  const flags = status === undefined ? 0 : (number(await remote.ask(`p${status.name}`)) ?? 0)
  const memory = async (from: number, size: number): Promise<Buffer> =>
    Buffer.from(bytesOf(await remote.ask(`m${from.toString(16)},${size.toString(16)}`)), 'hex')
  const bytes = await memory(address, 4)
  return {
    address,
    thumb: status !== undefined && (flags & status.thumb) !== 0,
    before: await memory(address - 4, 4),
    // A short instruction may be the last that its page has.
    bytes: bytes.length > 0 ? bytes : await memory(address, 2),
    vector: Buffer.from((await remote.ask('qXfer:auxv:read::0,400')).replace(/^[lm]/, ''), 'latin1'),
    maps: mapsOf(pid)
  }
}

/** An answer in hexadecimal; `E` and two digits is a refusal. */
const bytesOf = (answer: string): string => (/^([0-9a-f]{2})+$/i.test(answer) ? answer : '')

/** A register, in the little-endian order of the program. */
function number(answer: string): number | undefined {
  const digits = bytesOf(answer)
  return digits === '' ? undefined : Number(`0x${Buffer.from(digits, 'hex').reverse().toString('hex')}`)
}

function mapsOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/maps`, 'utf8')
  } catch {
    return '' // not allowed, or gone
  }
}

/** Connects to QEMU's gdb port as soon as it is there; undefined if the emulator ended before. */
export async function reach(path: string, ended: () => boolean): Promise<Socket | undefined> {
  while (!ended()) {
    const socket = connect(path)
    const connected = await new Promise<boolean>(resolve => {
      socket.once('connect', () => {
        resolve(true)
      })
      socket.once('error', () => {
        resolve(false)
      })
    })
    if (connected) return socket
    await sleep(5)
  }
  return undefined
}
