import { mkdtemp } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, type CliOptions, type CliResult } from './cli'
import { run } from './run'

/** A Pi that `pi-qemu boot` says is up. */
export interface Booted {
  readonly pid: number
  /** What it has said so far. */
  readonly said: string
  /** How it ends. */
  readonly done: Promise<CliResult>
}

/** What `boot` says last before it waits. */
export const isUp = /stays up until it switches itself off/

/**
 * Starts `pi-qemu boot` and waits until its Pi is up.
 * @throws with what it said, if it ended before
 */
export async function booted(args: readonly string[], options: CliOptions = {}): Promise<Booted> {
  let tell: (up: Omit<Booted, 'done'>) => void = () => undefined
  const up = new Promise<Omit<Booted, 'done'>>(resolve => (tell = resolve))
  const done = cli(['boot', ...args], {
    ...options,
    onStderr: (said, pid) => {
      if (isUp.test(said)) tell({ said, pid })
    }
  })
  const first = await Promise.race([up, done])
  if ('code' in first) throw new Error(`boot ended with ${String(first.code)}:\n${first.stderr}`)
  return { ...first, done }
}

/** A user's own key pair, and how to use it. */
export interface OwnKey {
  readonly publicFile: string
  /** Runs a command in a guest, whose host key nobody knows here; what it printed. */
  readonly ssh: (port: number, to: string, command: string) => Promise<string>
  /** Words for ssh up to the destination. */
  readonly words: (port: number, privateFile?: string) => readonly string[]
}

/** Makes one. */
export async function ownKey(): Promise<OwnKey> {
  const folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-key-'))
  const file = join(folder, 'id')
  await run('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-C', 'somebody@home', '-f', file])
  const words = (port: number, privateFile = file): readonly string[] => [
    ...['-i', privateFile, '-p', String(port), '-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes'],
    ...['-o', 'StrictHostKeyChecking=no', '-o', 'UserKnownHostsFile=/dev/null', '-o', 'ConnectTimeout=20']
  ]
  return {
    publicFile: `${file}.pub`,
    words,
    ssh: (port, to, command) => run('ssh', [...words(port), to, command])
  }
}

/** A port of 127.0.0.1 that nobody listens on. */
export async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
