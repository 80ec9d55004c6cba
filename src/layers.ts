import { createHash } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { evict } from './cache/evict'
import type { Context } from './context'
import {
  baseKey,
  fromStore,
  keepImage,
  loadImage,
  makeImage,
  noteRelease,
  openSource,
  preparedKey,
  provenances,
  type BoardFamily,
  type PreparedImage,
  type PrepareRequest,
  type Provenance,
  type ResolvedRelease,
  type Source
} from './images'
import { missingTools, type ToolName } from './host/tools'
import type { Inputs } from './inputs'
import type { PrepareWork } from './prepare'
import { mib } from './report/log'

/** An image to boot, and what names it. */
export interface ImageInPlace {
  readonly image: PreparedImage
  /** Names all that it was made from: what is made from it derives its own key from this one. */
  readonly key: string
  /** Whether other jobs have it, byte for byte; known once it was saved. */
  readonly isShared: Promise<boolean>
}

export interface LayersRequest {
  readonly inputs: Inputs
  readonly release: ResolvedRelease | undefined
  /** Waits until the host has the tools. */
  readonly tools: () => Promise<void>
  /** Those with which the image is unpacked; none if that is not known. */
  readonly unpackers: readonly ToolName[]
  readonly preparer: Preparer
}

/** How `prepare` is run, and what of that makes a difference to what it leaves behind. */
export interface Preparer {
  readonly family: BoardFamily
  readonly machine: () => Promise<readonly string[]>
  /** Returns the folder with the image that the script left. */
  readonly run: (work: PrepareWork, context: Context) => Promise<string>
}

/** How the upper layer is named once the key of the lower one is known. */
interface UpperLayer {
  readonly script: string
  readonly provenance: (base: string) => Provenance
  readonly key: (base: string) => string
}

/**
 * The image of a run, from as high a layer as a cache has: with `prepare`'s effects, else provisioned, else made from
 * its source. What had to be made goes to the caches at once, and not at the end: a script that fails still leaves
 * them warm.
 */
export async function imageInPlace(
  { inputs, release, preparer, tools, unpackers }: LayersRequest,
  context: Context
): Promise<ImageInPlace> {
  const { phases, log, hits } = context
  const { image: ref, imageSha256: sha256, user, provision, firmware, hostname, firstBoot, diskSize, boot } = inputs
  const upper = await upperLayer(inputs, preparer)
  const request: PrepareRequest = {
    ...{ image: ref, release, sha256, user, provision, firmware, hostname, firstBoot, diskSize, boot },
    isBase: upper !== undefined
  }
  const named = { provision, user, hostname, firstBoot, diskSize, firmware, boot, suffix: inputs.cacheKeySuffix }
  const base = (sum: string): string => baseKey({ ...named, sha256: sum })
  const { found, isComplete } = await phases.run('image', 'Image in place', async () => {
    const source = await openSource(request, context.home, log)
    const cached = await fromCaches(source, { upper, base, inputs, tools }, context)
    if (cached !== undefined) {
      source.close?.()
      if (release !== undefined && source.sha256 !== undefined) await noteRelease(release, source.sha256, context.home)
      const { title, architecture, diskSize: bytes } = cached.found.image
      log.info(`Already prepared: ${title}, ${architecture}, ${mib(bytes)}`)
      return cached
    }
    return {
      found: await makeBase(source, { request, base, inputs, tools, unpackers }, context),
      isComplete: upper === undefined
    }
  })
  log.info(`From a cache: ${hits.text}`)
  if (upper === undefined || isComplete) return found
  const provenance = upper.provenance(found.key)
  const work = { inputs, script: upper.script, base: found.image, request, provenance }
  const build = await preparer.run(work, context)
  return kept(build, upper.key(found.key), inputs, context)
}

async function upperLayer({ prepare: script }: Inputs, preparer: Preparer): Promise<UpperLayer | undefined> {
  if (script === undefined) return undefined
  const { family } = preparer
  const machine = await preparer.machine()
  const hash = createHash('sha256').update(script).digest('hex')
  return {
    script,
    provenance: base => ({ base, script: hash, family }),
    key: base => preparedKey({ base, script, family, machine })
  }
}

interface Wanted {
  readonly upper: UpperLayer | undefined
  readonly base: (sha256: string) => string
  readonly inputs: Inputs
  readonly tools: () => Promise<void>
}

/** The highest layer that a cache has. Of the lower one nothing is needed then, not even its download. */
async function fromCaches(
  { sha256 }: Source,
  { upper, base, inputs, tools }: Wanted,
  context: Context
): Promise<{ readonly found: ImageInPlace; readonly isComplete: boolean } | undefined> {
  const { hits } = context
  hits.note('none')
  if (inputs.cache === 'off') hits.missed('`cache: off`')
  else if (sha256 === undefined) hits.missed('what the image is shows only once it is here: give `image-sha256`')
  if (inputs.cache === 'off' || sha256 === undefined) return undefined
  const key = base(sha256)
  if (upper !== undefined) {
    const found = await cachedImage(upper.key(key), { inputs, tools }, context)
    if (found !== undefined) {
      hits.note('prepared')
      return { found, isComplete: true }
    }
    hits.missed(whyNot(upper.provenance(key), await provenances(context.home)))
  }
  const found = await cachedImage(key, { inputs, tools }, context)
  if (found === undefined) {
    hits.missed('this image with these inputs was not prepared before')
    return undefined
  }
  hits.note(upper === undefined ? 'prepared' : 'image')
  return { found, isComplete: upper === undefined }
}

/** Why no image has what `prepare` does, by what the others of this machine were made from. */
export function whyNot(wanted: Provenance, known: readonly Provenance[]): string {
  const same = known.filter(({ base }) => base === wanted.base)
  if (same.some(({ script, family }) => script !== wanted.script && family === wanted.family))
    return '`prepare` changed'
  const other = same.find(({ script, family }) => script === wanted.script && family !== wanted.family)
  if (other !== undefined) return `\`prepare\` ran on ${other.family} only, and not yet on ${wanted.family}`
  return '`prepare` is new or changed, or its image is'
}

async function cachedImage(
  key: string,
  { inputs, tools }: Pick<Wanted, 'inputs' | 'tools'>,
  context: Context
): Promise<ImageInPlace | undefined> {
  const own = await fromStore(key, context)
  if (own !== undefined) return { image: own, key, isShared: Promise.resolve(false) }
  const folder = join(context.journal.folder, `restored-${key}`)
  await mkdir(folder)
  if ((await context.shared?.restore({ kind: 'prepared', key }, folder, { ...context, tools })) !== true)
    return undefined
  const image = await keepImage(folder, key, context)
  if (image === undefined) context.log.warn('The prepared image in the Actions cache is not whole, and was not used')
  startEviction(inputs, context)
  return image && { image, key, isShared: Promise.resolve(true) }
}

interface BaseWork {
  readonly request: PrepareRequest
  readonly base: (sha256: string) => string
  readonly inputs: Inputs
  readonly tools: () => Promise<void>
  readonly unpackers: readonly ToolName[]
}

async function makeBase(
  source: Source,
  { request, base, inputs, tools, unpackers }: BaseWork,
  context: Context
): Promise<ImageInPlace> {
  const build = join(context.journal.folder, 'build')
  await mkdir(build)
  // A download goes on while the tools are installed, if only its unpacker is there.
  if (unpackers.length !== 1 || (await missingTools(unpackers)).length > 0) await tools()
  const sha256 = await source.unpackTo(join(build, 'disk.img'), build)
  await tools()
  if (request.release !== undefined) await noteRelease(request.release, sha256, context.home)
  await makeImage(build, request, context.log)
  return kept(build, base(sha256), inputs, context)
}

/** Puts a finished build into the caches. Without them it lives and goes with the run. */
async function kept(build: string, key: string, inputs: Inputs, context: Context): Promise<ImageInPlace> {
  const { shared, saves } = context
  const image = inputs.cache === 'off' ? await loadImage(build) : await keepImage(build, key, context)
  if (image === undefined) throw new Error(`the prepared image in ${build} cannot be read back`)
  const isShared =
    shared?.canSave === true
      ? saves.start('cache-save', () => shared.save({ kind: 'prepared', key }, image.folder, context))
      : undefined
  if (inputs.cache !== 'off') startEviction(inputs, context)
  return { image, key, isShared: isShared?.then(saved => saved === true) ?? Promise.resolve(false) }
}

function startEviction({ cacheMaxSize }: Inputs, { saves, home, journal, log }: Context): void {
  void saves.start(undefined, () => evict({ home, limit: cacheMaxSize, workDir: journal.folder, log }))
}
