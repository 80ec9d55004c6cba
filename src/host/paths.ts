import { rm } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { tool } from './exec'

/** Where state and caches live. */
export interface Home {
  readonly root: string
  /** One folder per run: journal, sockets, logs, keys, overlay. Gone when the run is torn down. */
  readonly runs: string
  /** One folder of logs per run; those of failed runs stay. */
  readonly logs: string
  /** Prepared images, kept between runs. */
  readonly images: string
  /** Booted Pis, memory and all, kept between runs. */
  readonly snapshots: string
  /** Debian's kernels for boards that the images' own cannot run on. */
  readonly kernels: string
  /** Where prepared images are packed and unpacked on their way to and from GitHub's cache. */
  readonly exchange: string
  /** What is known about sources: which file or URL had which SHA-256. */
  readonly sources: string
  /** Tools that are not the host's, where there is no tool cache of a runner. */
  readonly tools: string
  /** Emulators of user mode that show a Pi's CPU. */
  readonly emulators: string
  /** Libraries of images, for programs that run outside of them. */
  readonly sysroots: string
}

/** `PI_QEMU_HOME`, or `~/.cache/pi-qemu`. */
export function homeFolders(env: Readonly<NodeJS.ProcessEnv>): Home {
  const root = resolve(env['PI_QEMU_HOME'] || join(homedir(), '.cache', 'pi-qemu'))
  return {
    root,
    runs: join(root, 'runs'),
    logs: join(root, 'logs'),
    images: join(root, 'images'),
    snapshots: join(root, 'snapshots'),
    kernels: join(root, 'kernels'),
    exchange: join(root, 'exchange'),
    sources: join(root, 'sources'),
    tools: join(root, 'tools'),
    emulators: join(root, 'emulators'),
    sysroots: join(root, 'sysroots')
  }
}

/** Removes a folder with all it holds, folders that are closed to writing (a module cache, say) included. */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true, maxRetries: 3 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error
    await tool('chmod', ['-R', 'u+rwX', path])
    await rm(path, { recursive: true, force: true, maxRetries: 3 })
  }
}
