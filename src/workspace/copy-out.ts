import { copyOutFolder } from '../inputs'
import type { Left } from './read-back'
import type { BytePath } from './tree'

/** Where the guest puts the copies, on the volume of the workspace: a name of this run's. */
export const collectedFolder = (runId: string): string => `.pi-qemu-copy-out-${runId}`

/**
 * What a run brings back: what the guest left in the workspace, unless that stays there, and what was copied out,
 * at its place in the workspace.
 */
export function broughtBack(left: Left, collected: BytePath, workspaceToo: boolean): Left {
  const result = new Map(workspaceToo ? left : [])
  for (const [path, entry] of left) {
    if (path !== collected && !path.startsWith(`${collected}/`)) continue
    result.delete(path)
    result.set(copyOutFolder + path.slice(collected.length), entry)
  }
  return result
}
