import { tryTool } from '../../host/exec'
import type { EngineName } from './engine'

/** Removes a container, running or not; whether it is gone. */
export async function removeContainer(engine: EngineName, name: string): Promise<boolean> {
  return isGone(await tryTool(engine, ['rm', '--force', '--volumes', name]))
}

/** Removes an image by its name or ID; whether it is gone. */
export async function removeImage(engine: EngineName, image: string): Promise<boolean> {
  return isGone(await tryTool(engine, ['image', 'rm', image]))
}

/** Docker and Podman have several words for what is not there, and do not agree on the status. */
function isGone({ code, stderr }: { readonly code: number; readonly stderr: string }): boolean {
  if (code === 0 || /no such (container|image)|no container with|image not known/i.test(stderr)) return true
  throw new Error(stderr.trim())
}
