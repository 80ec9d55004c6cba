import { createHash, randomBytes } from 'node:crypto'
import { copyFile, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Architecture } from '../boards'
import { tool } from '../host/exec'
import type { Saves } from '../cache/saves'
import type { SharedCache } from '../cache/shared'
import type { Home } from '../host/paths'
import { ensureTools } from '../host/tools'
import type { Journal } from '../journal'
import type { Log } from '../report/log'
import { fetchKernel } from './debian/kernel'
import { makeExt4 } from './make-ext4'
import { writeInitramfs } from './mini/initramfs'
import { touched } from './store'

/** A kernel with virtio drivers for images that have none, and what it needs. All files are in a cache, only ever read. */
export interface GenericKernel {
  /** As `uname -r` prints it. */
  readonly version: string
  /** Tells it from another one made of the same packages: no two have the same bytes. */
  readonly id: string
  readonly kernel: string
  readonly initramfs: string
  /** ext4 volume whose folder `<version>` goes to /lib/modules; the initramfs sees to that. */
  readonly modules: string
}

/** Raise when what is built here changes. */
const recipeVersion = 2

/** The release whose kernel is nearest to the one that Raspberry Pi OS has (6.12). */
const suite = 'trixie'

/** Label of the volume with the modules, by which the initramfs finds it, and QEMU's id for it. */
export const modulesLabel = 'pi-qemu-modules'

/** Kernel arguments that make the initramfs put the modules in place. */
export const modulesArguments = ({ version }: GenericKernel): readonly string[] => [
  `pi-qemu.modules=${modulesLabel}:${version}`
]

export interface KernelPlace {
  readonly home: Home
  readonly journal: Journal
  readonly log: Log
  /** Kernels of other jobs. */
  readonly shared?: SharedCache | undefined
  readonly saves: Saves
}

/**
 * Debian's kernel for an architecture, with an initramfs and a volume of its modules: from the cache, or made there from
 * Debian's packages, whose signatures apt checks. It serves for a calendar month (UTC).
 */
export async function genericKernel(
  architecture: Architecture,
  { home, journal, log, shared, saves }: KernelPlace,
  now = new Date()
): Promise<GenericKernel> {
  const identity = JSON.stringify([architecture, suite, recipeVersion, now.toISOString().slice(0, 7)])
  const name = `${architecture}-${createHash('sha256').update(identity).digest('hex').slice(0, 16)}`
  const folder = join(home.kernels, name)
  // First of all: what is in use is not evicted.
  journal.record({ kind: 'uses', path: folder })
  const known = await load(folder)
  if (known !== undefined) {
    await touched(folder)
    return known
  }
  const build = join(journal.folder, 'kernel')
  await mkdir(build)
  const entry = { kind: 'kernel', key: name } as const
  const found = (await shared?.restore(entry, build, { journal, log })) === true && (await load(build)) !== undefined
  if (!found) {
    log.info("Taking Debian's kernel from its packages")
    await ensureTools(['mmdebstrap', 'cpio', 'depmod', 'xz'], log)
    await make(architecture, build)
  }
  await mkdir(home.kernels, { recursive: true })
  // Another run may have been first; its work is as good.
  await rename(build, folder).catch(async (error: unknown) => {
    if ((await load(folder)) === undefined) throw error
    await rm(build, { recursive: true })
  })
  const made = await load(folder)
  if (!found && shared?.canSave === true)
    void saves.start('kernel-save', () => shared.save(entry, folder, { journal, log }))
  if (made === undefined) throw new Error(`the kernel in ${folder} cannot be read back`)
  return made
}

const files = {
  identity: 'identity.json',
  kernel: 'vmlinuz',
  initramfs: 'initramfs.cpio',
  modules: 'modules.img'
} as const

async function load(folder: string): Promise<GenericKernel | undefined> {
  // Written last, and moved into place with all the rest.
  const identity = await readFile(join(folder, files.identity), 'utf8').catch(() => undefined)
  if (identity === undefined) return undefined
  const { version, id } = JSON.parse(identity) as Pick<GenericKernel, 'version' | 'id'>
  const at = (name: 'kernel' | 'initramfs' | 'modules'): string => join(folder, files[name])
  return { version, id, kernel: at('kernel'), initramfs: at('initramfs'), modules: at('modules') }
}

async function make(architecture: Architecture, build: string): Promise<void> {
  const { folder, version, busybox } = await fetchKernel(architecture, suite, join(build, 'packages'))
  await copyFile(join(folder, `boot/vmlinuz-${version}`), join(build, files.kernel))
  await writeInitramfs({ kernelRoot: folder, busybox, out: join(build, files.initramfs), workDir: build })
  const tree = join(build, 'tree')
  await mkdir(tree)
  await rm(join(folder, 'lib/modules', version, 'build'), { force: true })
  await tool('cp', ['-r', join(folder, 'lib/modules', version), tree])
  const kilobytes = Number((await tool('du', ['-sk', '--apparent-size', tree])).split(/\s/)[0])
  // Each of the thousands of files takes whole blocks.
  const size = Math.ceil(kilobytes / 1024 + 96) * 1024 * 1024
  const owner = { uid: 0, gid: 0 }
  await makeExt4({ file: join(build, files.modules), size, label: modulesLabel, from: tree, owner, journal: false })
  for (const path of [folder, tree]) await rm(path, { recursive: true })
  const id = randomBytes(8).toString('hex')
  await writeFile(join(build, files.identity), JSON.stringify({ version, id }))
}
