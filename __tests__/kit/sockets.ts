import { createConnection, createServer, type NetConnectOpts, type Socket } from 'node:net'

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise(resolve => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => {
        resolve(port)
      })
    })
  })
}

/** Somebody who talks: what was said so far, and a wait for more. */
export interface Talk {
  readonly socket: Socket
  heard(): string
  /** Resolves once what was said matches; rejects after `ms` or when the other side hangs up. */
  until(pattern: RegExp, ms: number): Promise<string>
}

/** Connects to a port or a UNIX socket. */
export function talkTo(to: NetConnectOpts): Promise<Talk> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(to)
    let heard = ''
    let closed = false
    socket.on('data', chunk => (heard += chunk.toString('latin1')))
    socket.on('close', () => (closed = true))
    socket.once('error', reject)
    socket.once('connect', () => {
      socket.off('error', reject).on('error', () => undefined)
      resolve({
        socket,
        heard: () => heard,
        until: (pattern, ms) =>
          until(
            () => heard,
            () => closed,
            pattern,
            ms
          )
      })
    })
  })
}

/** Waits until a growing text matches; rejects after `ms`, or once it is at its end. */
export async function until(text: () => string, isOver: () => boolean, pattern: RegExp, ms: number): Promise<string> {
  const deadline = Date.now() + ms
  for (;;) {
    const over = isOver()
    if (pattern.test(text())) return text()
    if (over || Date.now() > deadline)
      throw new Error(
        `no ${String(pattern)}, ${over ? 'and it is over' : `within ${ms} ms`}. Heard:\n${text().slice(-2000)}`
      )
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}

/** Why a connection is not to be had (ECONNREFUSED, …); undefined if it is. */
export async function refusal(to: NetConnectOpts): Promise<string | undefined> {
  try {
    const { socket } = await talkTo(to)
    socket.destroy()
    return undefined
  } catch (error) {
    return (error as NodeJS.ErrnoException).code
  }
}
