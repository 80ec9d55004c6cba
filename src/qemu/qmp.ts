import { appendFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

interface Reply {
  readonly QMP?: unknown
  readonly event?: string
  readonly data?: { readonly reason?: string }
  readonly id?: number
  readonly return?: unknown
  readonly error?: { readonly class: string; readonly desc: string }
}

/** ms that QEMU may take to greet: on a busy host it has much to do before, guest memory to allocate or to read in. */
const answerTimeout = 60_000

/** A connection to QEMU's machine protocol (QMP): one JSON object a line, commands answered by `id`. */
export class Qmp {
  private readonly waiting = new Map<
    number,
    { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }
  >()
  private next = 1
  private ended = false
  private tellReset: () => void = () => undefined
  /** Resolves once the guest has reset itself and QEMU, started with `-no-reboot`, is about to end for that. */
  readonly guestReset = new Promise<void>(resolve => {
    this.tellReset = resolve
  })
  private shutdown: string | undefined
  private readonly awaited = new Map<string, () => void>()

  private constructor(
    private readonly socket: Socket,
    private readonly log: string | undefined
  ) {
    const fail = (why: string): void => {
      this.ended = true
      for (const { reject } of this.waiting.values()) reject(new Error(why))
      this.waiting.clear()
    }
    const broken = (error: Error): void => {
      fail(error.message)
    }
    socket.on('error', broken).on('close', () => {
      fail('QEMU closed the connection')
    })
    createInterface({ input: socket })
      .on('line', line => {
        this.record('<', line)
        const reply = parsed(line)
        if (reply !== undefined) this.receive(reply)
      })
      .on('error', broken) // it passes the socket's on
  }

  /**
   * Connects to the socket `name` in `folder`, and leaves the negotiation mode.
   * @param log file to which all that is said is appended
   */
  static async connect(folder: string, name: string, timeout = answerTimeout, log?: string): Promise<Qmp> {
    // A socket's path has 107 bytes at most; through the folder's descriptor it always fits.
    const handle = await open(folder, 'r')
    try {
      const socket = await new Promise<Socket>((resolve, reject) => {
        const connection = createConnection(join('/proc/self/fd', String(handle.fd), name))
        connection.setTimeout(timeout, () => connection.destroy(new Error('QEMU does not answer')))
        connection.once('error', reject)
        connection.once('connect', () => {
          resolve(connection)
        })
      })
      const qmp = new Qmp(socket, log)
      await qmp.execute('qmp_capabilities')
      socket.setTimeout(0)
      return qmp
    } finally {
      await handle.close()
    }
  }

  /**
   * Why the machine stopped, once it has: `guest-shutdown`, `guest-reset`, `host-signal`, … (RunState's
   * ShutdownCause in QEMU's QMP reference).
   */
  get shutdownReason(): string | undefined {
    return this.shutdown
  }

  /** Runs a command and returns what it returns. */
  execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const id = this.next++
    return new Promise((resolve, reject) => {
      if (this.ended) {
        reject(new Error('QEMU closed the connection'))
        return
      }
      this.waiting.set(id, { resolve, reject })
      const line = JSON.stringify({ execute: command, arguments: args, id })
      this.record('>', line)
      this.socket.write(line + '\n')
    })
  }

  /** Runs a line of the human monitor, for the few things QMP has no command for. */
  async human(line: string): Promise<string> {
    return String(await this.execute('human-monitor-command', { 'command-line': line }))
  }

  /** Resolves with the next event of a name. */
  once(event: string): Promise<void> {
    return new Promise(resolve => this.awaited.set(event, resolve))
  }

  close(): void {
    this.ended = true
    this.socket.destroy()
  }

  private record(direction: '<' | '>', line: string): void {
    if (this.log === undefined) return
    try {
      appendFileSync(this.log, `${new Date().toISOString()} ${direction} ${line}\n`)
    } catch {
      // The logs may be gone before QEMU is.
    }
  }

  private receive(reply: Reply): void {
    this.awaited.get(reply.event ?? '')?.()
    if (reply.event === 'SHUTDOWN') {
      this.shutdown = reply.data?.reason ?? 'unknown'
      if (this.shutdown === 'guest-reset') this.tellReset()
    }
    const waiting = reply.id === undefined ? undefined : this.waiting.get(reply.id)
    if (waiting === undefined || reply.id === undefined) return
    this.waiting.delete(reply.id)
    if (reply.error === undefined) waiting.resolve(reply.return)
    else waiting.reject(new Error(reply.error.desc))
  }
}

/** A line that QEMU's end cut off says nothing. */
function parsed(line: string): Reply | undefined {
  try {
    return JSON.parse(line) as Reply
  } catch {
    return undefined
  }
}
