import { createConnection } from 'node:net'
import { Client } from 'ssh2'

/** Logs in over SSH with a password, as a person would, and runs a command. Rejects if the password is refused. */
export function passwordLogin(port: number, username: string, password: string, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const client = new Client()
    client
      .on('error', reject)
      .on('ready', () => {
        client.exec(command, (error, channel) => {
          if (error !== undefined) {
            reject(error)
            return
          }
          let text = ''
          channel
            .on('data', (chunk: Buffer) => (text += chunk.toString()))
            .on('close', () => {
              client.end()
              resolve(text)
            })
          channel.stderr.resume()
        })
      })
      .connect({ host: '127.0.0.1', port, username, password, readyTimeout: 120_000, authHandler: ['password'] })
  })
}

/** A terminal on a guest's serial line that QEMU offers as a Unix socket: says things, and waits for words. */
export class SerialTerminal {
  private text = ''
  private readonly socket
  constructor(path: string) {
    this.socket = createConnection(path).setEncoding('utf8')
    this.socket.on('data', chunk => (this.text += String(chunk)))
  }

  /** Waits for a pattern in what came since the last one; returns what came until then. */
  async expect(pattern: RegExp, timeout = 90_000): Promise<string> {
    const deadline = Date.now() + timeout
    for (;;) {
      const found = pattern.exec(this.text)
      if (found !== null) {
        const seen = this.text.slice(0, found.index + found[0].length)
        this.text = this.text.slice(found.index + found[0].length)
        return seen
      }
      if (Date.now() > deadline)
        throw new Error(`${String(pattern)} did not appear; there is: ${this.text.slice(-500)}`)
      await new Promise(resolve => setTimeout(resolve, 100))
    }
  }

  say(line: string): void {
    this.socket.write(`${line}\r`)
  }

  close(): void {
    this.socket.destroy()
  }
}
