import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Board } from '../boards'
import { loopback, type Inputs } from '../inputs'
import { knownBoard } from '../plan'

/** Whether `prepare` runs on a board of its own: what was given for the run's board does not belong there. */
export function hasOwnBoard(inputs: Inputs): boolean {
  return inputs.prepareBoard !== undefined && inputs.prepareBoard !== knownBoard(inputs)?.name
}

/**
 * The inputs of the machine on which `prepare` runs. Whatever may be a secret, or differs between runs that share the
 * result, is left out: `env`, `files`, `password`, the workspace, the user's disks.
 */
export function prepareInputs(inputs: Inputs, board: Board): Inputs {
  const common: Inputs = {
    ...inputs,
    run: inputs.prepare,
    board: board.name,
    ...{ user: 'root', shell: undefined, workingDirectory: undefined, env: {}, password: undefined },
    ...{ sync: 'none', copyOut: [], files: [], disks: [], ports: [] },
    ...{ network: 'user', sshPort: undefined, authorizedKeys: [], listen: loopback },
    // A failure can be looked into here as well; ports and sockets that were asked for are the run's own.
    debugging: { ...inputs.debugging, gdb: undefined, monitor: false, vnc: undefined },
    ...{ firstBoot: 'skip', snapshot: 'off', saveImage: undefined, keepRunning: false }
  }
  if (!hasOwnBoard(inputs)) return common
  return {
    ...common,
    ...{ kernel: undefined, initrd: undefined, dtb: undefined, overlays: [], append: undefined },
    ...{ cpu: undefined, clock: undefined, storage: 'auto', qemuArgs: [] },
    ...(board.sizable ? {} : { memoryMiB: undefined, cpus: undefined })
  }
}

/** What of the inputs, besides the script and the board, may make a difference to what the script leaves behind. */
export async function machineIngredients(inputs: Inputs): Promise<readonly string[]> {
  if (hasOwnBoard(inputs)) return []
  const { kernel, initrd, dtb, overlays, append, cpu, workspace } = inputs
  const named: readonly (readonly [string, string | undefined])[] = [
    ['append', append],
    ['cpu', cpu],
    ['kernel', await hashOf(kernel)],
    ['initrd', await hashOf(initrd)],
    ['dtb', await hashOf(dtb)]
  ]
  const trees = overlays.map(async name => {
    const isFile = name.includes('/') || name.endsWith('.dtbo')
    return `overlay=${(isFile ? await hashOf(resolve(workspace, name)) : undefined) ?? name}`
  })
  return [
    ...named.flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`])),
    ...(await Promise.all(trees))
  ]
}

/** SHA-256 of a file; undefined if there is none, which is found fault with later. */
async function hashOf(file: string | undefined): Promise<string | undefined> {
  const bytes = file === undefined ? undefined : await readFile(file).catch(() => undefined)
  return bytes && createHash('sha256').update(bytes).digest('hex')
}
