import { spawn } from 'node:child_process'
import { PassThrough, type Readable, type Writable } from 'node:stream'
import { findTool } from '../host/exec'

/** A tar of the host under way. */
export interface Tar {
  readonly stdin: Writable
  readonly stdout: Readable
  /** What it complained of so far. */
  readonly told: () => string
  /**
   * Its status, once the other side is done: 1 means that a file changed while it was read.
   * @param well whether the other side is content, and may only have left what fills the last block
   */
  readonly end: (well: boolean) => Promise<number>
}

/** What all archives for a guest have in common: GNU's format, since busybox knows no long names in others. */
export const packing = ['--create', '--file=-', '--format=gnu', '--numeric-owner'] as const

/** Starts tar, which every guest has as well. */
export async function startTar(args: readonly string[]): Promise<Tar> {
  const child = spawn((await findTool('tar')) ?? 'tar', args, { stdio: ['pipe', 'pipe', 'pipe'] })
  let told = ''
  child.stderr.on('data', chunk => (told += String(chunk)))
  child.stdin.on('error', () => undefined) // it ended: its status and words say why
  const ended = new Promise<number>((resolve, reject) => {
    child.on('error', reject).on('close', code => {
      resolve(code ?? 128)
    })
  })
  ended.catch(() => undefined)
  return {
    stdin: child.stdin,
    // Read at once: what nobody has begun to read when a program ends is thrown away.
    stdout: child.stdout.pipe(new PassThrough()),
    told: () => told,
    end: well => {
      if (well) child.stdout.unpipe().resume()
      else child.kill()
      return ended
    }
  }
}
