import { tryTool } from '../host/exec'
import type { EngineName } from './container/engine'

/** What a container engine has because of a run, as the run's journal has it. */
export type EngineThing =
  | { readonly kind: 'container'; readonly engine: EngineName; readonly name: string }
  /** By name or ID. */
  | { readonly kind: 'engine-image'; readonly engine: EngineName; readonly name: string }
  /** A builder of Docker Buildx, with its container and its cache. */
  | { readonly kind: 'builder'; readonly engine: 'docker'; readonly name: string }

/** Arguments that remove each; a container also while it runs. */
const removals: Readonly<Record<EngineThing['kind'], readonly string[]>> = {
  container: ['rm', '--force', '--volumes'],
  'engine-image': ['image', 'rm'],
  builder: ['buildx', 'rm', '--force']
}

/** For a sentence about it. */
export const describeThing = ({ kind, name }: EngineThing): string => `the ${kind.replace('engine-', '')} ${name}`

/** Engines have several words for what is not there, and do not agree on the status. */
const isMissing = /no such (container|image)|no container with|image not known|no builder|builder .*not found/i

/**
 * Removes it; harmless if it is gone.
 * @throws Error with the engine's words if it stays
 */
export async function removeThing({ kind, engine, name }: EngineThing): Promise<void> {
  const { code, stderr } = await tryTool(engine, [...removals[kind], name])
  if (code !== 0 && !isMissing.test(stderr)) throw new Error(stderr.trim())
}
