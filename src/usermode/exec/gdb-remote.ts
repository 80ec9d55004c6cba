import type { Socket } from 'node:net'

/**
 * As much of GDB's remote protocol as it takes to ask a stopped QEMU: packets `$text#sum`, each acknowledged by `+`
 * (“Debugging with GDB”, appendix E). One question at a time; what comes unasked goes to `onPacket`.
 */
export class GdbRemote {
  private received = ''
  private waiting: ((answer: string) => void) | undefined
  private open = true

  /** @param onPacket called with what QEMU says by itself, and with what acknowledges it */
  constructor(
    private readonly socket: Socket,
    private readonly onPacket: (text: string, acknowledge: () => void) => void
  ) {
    // A program that ends, or that closes what it did not open, takes the connection with it.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.open = false
      this.waiting?.('')
    })
    socket.on('data', chunk => {
      this.take(chunk.toString('latin1'))
    })
  }

  /** Asks, and waits for the answer, at most `ms`; an empty text if there is none. */
  async ask(text: string, ms = 2000): Promise<string> {
    if (!this.open) return ''
    const answer = await new Promise<string>(resolve => {
      const limit = setTimeout(resolve, ms, '')
      this.waiting = text => {
        clearTimeout(limit)
        resolve(text)
      }
      this.tell(text)
    })
    this.waiting = undefined
    return answer
  }

  /** Sends a command that the program's next stop answers, if anything does. */
  tell(text: string): void {
    this.send(packet(text))
  }

  /** Ends our side. QEMU learns of it when the program gets its next signal, and goes on without us. */
  end(): void {
    if (this.open) this.socket.end()
    this.open = false
  }

  private take(text: string): void {
    this.received += text
    for (;;) {
      const found = /^[^$]*\$([^#]*)#[0-9a-f]{2}/i.exec(this.received)
      if (found === null) return
      this.received = this.received.slice(found[0].length)
      const content = unescaped(found[1] ?? '')
      if (this.waiting === undefined) {
        this.onPacket(content, () => {
          this.send('+')
        })
      } else {
        this.send('+')
        this.waiting(content)
      }
    }
  }

  private send(text: string): void {
    if (this.open) this.socket.write(text)
  }
}

/** A text with its frame. */
export function packet(text: string): string {
  const sum = Buffer.from(text, 'latin1').reduce((total, byte) => total + byte, 0) & 0xff
  return `$${text}#${sum.toString(16).padStart(2, '0')}`
}

/** Bytes that the frame is made of are sent as `}` and the byte with one bit turned. */
export function unescaped(text: string): string {
  return text.replaceAll(/\}(.)/gs, (_, byte: string) => String.fromCharCode(byte.charCodeAt(0) ^ 0x20))
}
