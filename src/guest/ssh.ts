import { createConnection, type Socket } from 'node:net'
import type { Readable } from 'node:stream'
import { Client } from 'ssh2'
import { loopback } from '../inputs'
import { HostFailure } from '../report/errors'

export interface Login {
  /** IPv4 address; by default this host, whose port is forwarded to the guest. */
  readonly host?: string | undefined
  readonly port: number
  readonly user: string
  readonly privateKey: string
  /** The guest's public key; without it any key is accepted (an image that was not provisioned). */
  readonly hostKey: Buffer | undefined
}

export interface ExecOptions {
  /** What it reads on standard input; by default nothing. A stream is let go of when the command ends. */
  readonly input?: string | Buffer | Readable | undefined
  readonly onStdout?: (chunk: Buffer) => void
  readonly onStderr?: (chunk: Buffer) => void
}

/** How a command in the guest ended: a status, or a signal such as `KILL`; neither if the connection broke. */
export interface ExecResult {
  readonly code: number | undefined
  readonly signal: string | undefined
  readonly stdout: string
  readonly stderr: string
}

/** What kept us from logging in. `refused` means that the guest's SSH server spoke to us and said no. */
export class LoginError extends Error {
  constructor(
    message: string,
    readonly refused: boolean
  ) {
    super(message)
  }
}

/** Tries once to reach an SSH server; resolves when it greets, before anything is said in return. */
export function knock(port: number, timeout: number, host = loopback): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(port, host)
    const fail = (reason: string): void => {
      socket.destroy()
      reject(new LoginError(reason, false))
    }
    // QEMU accepts the connection even when nobody listens in the guest: only the greeting tells.
    socket.setTimeout(timeout, () => {
      fail('no greeting from the SSH server')
    })
    socket.once('error', error => {
      fail(error.message)
    })
    socket.once('close', () => {
      fail('connection closed before a greeting')
    })
    socket.once('data', greeting => {
      socket.setTimeout(0)
      socket.setNoDelay(true)
      socket.pause()
      socket.removeAllListeners()
      socket.unshift(greeting)
      resolve(socket)
    })
  })
}

/** An SSH connection into the guest. */
export class GuestSession {
  private constructor(private readonly client: Client) {}

  /**
   * Logs in over a socket on which the server has greeted.
   * @param timeout ms; key exchange alone takes seconds on an emulated Pi
   * @throws LoginError
   */
  static login(socket: Socket, { user, privateKey, hostKey }: Login, timeout: number): Promise<GuestSession> {
    return new Promise((resolve, reject) => {
      const client = new Client()
      let impostor = false
      client
        .on('ready', () => {
          client.removeAllListeners('error').on('error', () => undefined) // later breaks end the commands under way
          resolve(new GuestSession(client))
        })
        .on('error', error => {
          client.end()
          socket.destroy()
          const authentication = error.level === 'client-authentication'
          reject(
            new LoginError(
              impostor ? 'the host key is not the one this run gave the guest' : error.message,
              authentication || impostor
            )
          )
        })
        .on('close', () => {
          reject(new LoginError('the guest closed the connection', false))
        })
        .connect({
          sock: socket,
          username: user,
          privateKey,
          readyTimeout: timeout,
          keepaliveInterval: 15_000,
          keepaliveCountMax: 8,
          hostVerifier: (key: Buffer) => {
            impostor = hostKey !== undefined && !key.equals(hostKey)
            return !impostor
          },
          ...(hostKey !== undefined && { algorithms: { serverHostKey: ['ssh-ed25519'] } })
        })
    })
  }

  /** Runs a command line with the user's login shell, and waits for its end. */
  exec(command: string, { input, onStdout, onStderr }: ExecOptions = {}): Promise<ExecResult> {
    return new Promise((resolve, reject) => {
      this.client.exec(command, (error, channel) => {
        if (error !== undefined) {
          reject(new HostFailure({ symptom: `the guest refused to start a command: ${error.message}` }))
          return
        }
        let code: number | undefined
        let signal: string | undefined
        const stdout: Buffer[] = []
        const stderr: Buffer[] = []
        channel
          .on('exit', (status: number | null, name?: string) => {
            code = status ?? undefined
            signal = name?.replace(/^SIG/, '')
          })
          .on('data', (chunk: Buffer) => {
            if (onStdout === undefined) stdout.push(chunk)
            else onStdout(chunk)
          })
          .on('close', () => {
            if (isStream(input)) input.unpipe().destroy()
            resolve({
              code,
              signal,
              stdout: Buffer.concat(stdout).toString(),
              stderr: Buffer.concat(stderr).toString()
            })
          })
        channel.stderr.on('data', (chunk: Buffer) => {
          if (onStderr === undefined) stderr.push(chunk)
          else onStderr(chunk)
        })
        channel.on('error', () => undefined)
        if (isStream(input)) input.pipe(channel)
        else channel.end(input ?? '')
      })
    })
  }

  close(): void {
    this.client.end()
    this.client.destroy()
  }
}

const isStream = (input: ExecOptions['input']): input is Readable =>
  input !== undefined && typeof input !== 'string' && !Buffer.isBuffer(input)
