import { existsSync } from 'node:fs'
import { mkdir, readdir, readlink, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import type { Context } from './context'
import { tool } from './host/exec'
import { toolsBeside } from './host-ready'
import { libraryFiles, touched, type PreparedImage } from './images'
import type { Inputs } from './inputs'
import { imageInPlace } from './layers'
import { unpackersFor } from './plan'
import { plannedImage } from './planned-image'
import { rootfsPreparer, type EmulationFor } from './rootfs'

/**
 * A folder with the libraries of an image, for programs that are run outside of it: `qemu-arm -L`. Taken out of the image
 * once, and kept; it belongs to this user, and its absolute links lead to where they do in the image.
 */
export async function sysrootOf(inputs: Inputs, emulationFor: EmulationFor, context: Context): Promise<string> {
  const { release, here } = await plannedImage(inputs, context)
  const tools = toolsBeside(here, context, undefined)
  const preparer = rootfsPreparer(inputs, emulationFor)
  const { image } = await imageInPlace(
    { inputs, release, tools, unpackers: unpackersFor(here.image), preparer },
    context
  )
  await tools()
  return context.phases.run('sysroot', 'Libraries of the image', () => extracted(image, context))
}

async function extracted(image: PreparedImage, { home, journal, log }: Context): Promise<string> {
  const folder = join(home.sysroots, image.id)
  journal.record({ kind: 'uses', path: folder })
  if (existsSync(folder)) {
    await touched(folder)
    return folder
  }
  const making = join(home.sysroots, `.making-${journal.id}`)
  journal.record({ kind: 'partial', path: making })
  await mkdir(making, { recursive: true })
  await libraryFiles(image, making, journal.folder)
  await withRelativeLinks(making, making)
  await rename(making, folder).catch(async (error: unknown) => {
    // Another run was first.
    if (!existsSync(folder)) throw error
    await rm(making, { recursive: true, force: true })
  })
  journal.record({ kind: 'done', path: making })
  log.info(`Kept in ${folder}: ${(await tool('du', ['-sh', folder])).split('\t')[0] ?? ''}`)
  return folder
}

/** Turns absolute links into such as lead to the same place inside of the folder. */
async function withRelativeLinks(folder: string, root: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isDirectory()) await withRelativeLinks(path, root)
    if (!entry.isSymbolicLink()) continue
    const target = await readlink(path)
    if (!target.startsWith('/')) continue
    await rm(path)
    await symlink(relative(dirname(path), join(root, target)), path)
  }
}
