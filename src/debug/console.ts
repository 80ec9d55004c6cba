import { open } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { basename, dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { HostFailure, messageOf } from '../report/errors'

/** Ctrl-], as telnet and virsh have it. */
const escape = 0x1d

/** How the connection to a console ended: somebody left it, or QEMU closed it. */
export type ConsoleEnd = 'left' | 'closed'

/** A terminal's input, or whatever takes its place. */
export type ConsoleInput = Readable & {
  readonly isTTY?: boolean
  readonly setRawMode?: (raw: boolean) => unknown
}

/**
 * Connects a terminal to a serial console until Ctrl-] is pressed or the machine ends. Every other key goes to the guest,
 * Ctrl-C included; input that ends (a pipe) leaves the connection open.
 * @param path UNIX socket, as in the output `serial-socket`
 * @param attached called once what the guest says arrives
 * @throws HostFailure if nobody listens there
 */
export async function attachConsole(
  path: string,
  stdin: ConsoleInput,
  stdout: Writable,
  attached: () => unknown = () => undefined
): Promise<ConsoleEnd> {
  const socket = await connect(path)
  const raw = (on: boolean): void => {
    if (stdin.isTTY === true) stdin.setRawMode?.(on)
  }
  let end: (how: ConsoleEnd) => void = () => undefined
  const ended = new Promise<ConsoleEnd>(resolve => (end = resolve))
  const type = (chunk: Buffer): void => {
    const { text, leaves } = typed(chunk)
    if (text.length > 0) socket.write(text)
    if (leaves) end('left')
  }
  socket.on('data', (chunk: Buffer) => stdout.write(chunk))
  socket.on('close', () => {
    end('closed')
  })
  raw(true)
  stdin.on('data', type)
  try {
    attached()
    return await ended
  } finally {
    stdin.off('data', type)
    stdin.pause()
    raw(false)
    socket.end()
  }
}

/** What goes to the guest of what was typed, and whether the rest of it leaves the console. */
export function typed(chunk: Buffer): { readonly text: Buffer; readonly leaves: boolean } {
  const at = chunk.indexOf(escape)
  return at < 0 ? { text: chunk, leaves: false } : { text: chunk.subarray(0, at), leaves: true }
}

async function connect(path: string): Promise<Socket> {
  // A socket's path has 107 bytes at most; through the folder's descriptor it always fits.
  const folder = await open(dirname(path), 'r').catch((error: unknown) => {
    throw noConsole(path, messageOf(error))
  })
  try {
    return await new Promise<Socket>((resolve, reject) => {
      const socket = createConnection(join('/proc/self/fd', String(folder.fd), basename(path)))
      socket.once('connect', () => {
        socket.off('error', reject)
        socket.on('error', () => undefined) // `close` follows
        resolve(socket)
      })
      socket.once('error', reject)
    })
  } catch (error) {
    throw noConsole(path, messageOf(error))
  } finally {
    await folder.close()
  }
}

function noConsole(path: string, why: string): HostFailure {
  return new HostFailure({
    symptom: `there is no serial console at ${path} (${why})`,
    cause: 'the Pi is not up any more, or it runs without `serial: socket`',
    remedy: 'start it with `serial: socket`'
  })
}
