import type { Context } from './context'
import { pinned, resolveRelease, type ResolvedRelease } from './images'
import type { Inputs } from './inputs'
import { describePlan } from './plan'

/** Which image a run is of. */
export interface PlannedImage {
  /** The release that its name stands for, if it is one of the catalogue. */
  readonly release: ResolvedRelease | undefined
  /** The inputs as if they named where the image comes from. */
  readonly here: Inputs
}

/** Tells what will be done, and looks up what the name of the image stands for. */
export async function plannedImage(inputs: Inputs, context: Context): Promise<PlannedImage> {
  const { log, phases, output } = context
  const release = await phases.run('plan', 'Plan', async () => {
    for (const line of describePlan(inputs)) log.info(line)
    const { image, catalogUrl } = inputs
    return image.kind === 'catalogue' ? resolveRelease(image, catalogUrl, context) : undefined
  })
  if (release === undefined) return { release, here: inputs }
  output('image-release', pinned(release.release))
  return { release, here: { ...inputs, image: { kind: 'url', url: release.release.url } } }
}
