import { open, type FileHandle } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'

/** What a script in the guest said, and its status. */
export interface Answer {
  readonly code: number
  readonly output: string
}

/**
 * Our end of the line to the agent in the guest. QEMU connects to it when it starts, so the line is there before the
 * guest's first instruction, and when we hang up nobody else can take our place.
 */
export class Channel {
  private socket: Socket | undefined
  private received = Buffer.alloc(0)
  private unsent: string[] = []
  private waiting: ((answer: Answer) => void)[] = []

  private constructor(
    private readonly server: Server,
    private readonly folder: FileHandle
  ) {
    server.on('connection', socket => {
      this.socket = socket
      server.close() // one caller, and no other
      socket.on('error', () => undefined)
      socket.on('data', chunk => {
        this.received = Buffer.concat([this.received, chunk])
        this.deliver()
      })
      for (const message of this.unsent.splice(0)) socket.write(message)
    })
  }

  /** Listens on the socket `name` in `folder`, which only this user can reach. */
  static async listen(folder: string, name: string): Promise<Channel> {
    // A socket's path has 107 bytes at most; through the folder's descriptor it always fits.
    const handle = await open(folder, 'r')
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(join('/proc/self/fd', String(handle.fd), name), resolve)
    })
    return new Channel(server, handle)
  }

  /** Has root's shell in the guest run a text, of whole commands; never resolves if nobody listens there. */
  run(text: string): Promise<Answer> {
    this.send(asked(text))
    return new Promise(resolve => this.waiting.push(resolve))
  }

  /** Tells the agent that this was all, and hangs up. */
  async hangUp(): Promise<void> {
    const { socket } = this
    if (socket?.writable === true)
      await new Promise<void>(resolve =>
        socket.end(': > over; exit\n', () => {
          resolve()
        })
      )
    this.close()
  }

  close(): void {
    this.server.close()
    this.socket?.destroy()
    void this.folder.close().catch(() => undefined)
  }

  private send(message: string): void {
    if (this.socket === undefined) this.unsent.push(message)
    else this.socket.write(message)
  }

  private deliver(): void {
    for (;;) {
      const end = this.received.indexOf('\n')
      const [, code, length] = /^(\d+) +(\d+)$/.exec(this.received.subarray(0, Math.max(0, end)).toString()) ?? []
      if (code === undefined || this.received.length < end + 1 + Number(length)) return
      const output = this.received.subarray(end + 1, end + 1 + Number(length)).toString()
      this.received = this.received.subarray(end + 1 + Number(length))
      this.waiting.shift()?.({ code: Number(code), output })
    }
  }
}

/**
 * What the agent's shell reads: the text, in a shell of its own that does not have the channel, and then its answer, a
 * line with status and length, and what was printed.
 */
function asked(text: string): string {
  return `(
${text}
) > answer 2>&1 </dev/null 3<&-
status=$? size=0; [ ! -s answer ] || size=$(wc -c < answer)
echo $status $size >&3; [ $size = 0 ] || cat answer >&3
`
}
