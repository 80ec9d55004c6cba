import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { access, mkdir, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

/** Where the kit keeps what takes long to make, between runs and outside the repository. */
export const kitCache = '/var/cache/pi-qemu-test'

/** Names what something was made from, for the name of what was made. */
export function contentHash(ingredients: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(ingredients)).digest('hex').slice(0, 12)
}

/** Whether a path exists. */
export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false
  )
}

/**
 * Runs `act` while holding a lock that all processes on this machine share. The lock lives in a child whose standard
 * input we hold: when this process dies, however it dies, the child ends and the lock is free.
 */
export async function exclusively<T>(lockFile: string, act: () => Promise<T>): Promise<T> {
  await mkdir(dirname(lockFile), { recursive: true })
  const holder = spawn('flock', [lockFile, 'sh', '-c', 'echo; exec cat'], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = new Promise<void>(resolve =>
    holder.once('close', () => {
      resolve()
    })
  )
  try {
    await new Promise<void>((resolve, reject) => {
      holder.once('error', reject)
      holder.stdout.once('data', () => {
        resolve()
      })
      holder.once('close', code => {
        reject(new Error(`flock ${lockFile} ended with ${String(code)}`))
      })
    })
    return await act()
  } finally {
    holder.stdin.end()
    await ended
  }
}

/**
 * Makes `path` once per machine: `build` fills a path beside it, which is renamed into place when it is whole. Two
 * processes that want it at the same time build it once.
 */
export async function madeOnce(path: string, build: (unfinished: string) => Promise<void>): Promise<string> {
  if (await exists(path)) return path
  return exclusively(`${path}.lock`, async () => {
    if (await exists(path)) return path
    const unfinished = `${path}.unfinished`
    await rm(unfinished, { recursive: true, force: true })
    try {
      await build(unfinished)
      await rename(unfinished, path)
    } finally {
      await rm(unfinished, { recursive: true, force: true })
    }
    return path
  })
}
