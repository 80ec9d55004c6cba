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
  const isCollected = (path: BytePath): boolean => path === collected || path.startsWith(`${collected}/`)
  const result = new Map([...left].filter(([path]) => workspaceToo && !isCollected(path)))
  for (const [path, entry] of [...left].filter(([name]) => isCollected(name))) {
    const target = copyOutFolder + path.slice(collected.length)
    if (result.get(target)?.kind !== entry.kind) {
      // The guest has something else there: it gives way, and what it holds. A folder comes before what it holds.
      for (const name of [...result.keys()]) if (name === target || name.startsWith(`${target}/`)) result.delete(name)
    }
    result.set(target, entry)
  }
  return result
}
