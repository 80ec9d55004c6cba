import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { SharedCache } from '../cache/shared'
import type { Home } from '../host/paths'
import type { ImageRef } from '../inputs'
import type { Journal } from '../journal'
import { BadInput } from '../report/errors'
import { mib, type Log } from '../report/log'
import { takeBootFiles, type BootFiles } from './boot-files'
import { rememberRelease, type PreparedSummary, type Release, type ResolvedRelease } from './catalogue'
import { Ext4 } from './ext4'
import { readRootFacts, type RootFacts } from './families'
import { growDisk } from './grow'
import { slotLengths, type SlotContent } from './keys'
import { openSource } from './origin'
import { inspectDisk, type DiskLayout } from './partitions'
import { provisioning, provisionVersion } from './provision'
import { releaseOf } from './releases'
import { checkBootLoader, noBootFiles } from './uefi'
import { namesNoCard, usbKernels } from './usb-root'

/** An image ready to boot: unpacked, looked at, provisioned; free of anything that belongs to one run. */
export interface PreparedImage extends Pick<RootFacts, 'family' | 'title' | 'architecture' | 'users'> {
  readonly folder: string
  /** Raw disk image; only ever read from now on. */
  readonly disk: string
  /** Bytes. */
  readonly diskSize: number
  readonly layout: DiskLayout
  /** Names in the folder `boot` beside the disk. */
  readonly bootFiles: BootFiles
  readonly kernelArguments: readonly string[]
  /** Kernels (of {@link bootFiles}) that are certain to boot from USB storage. */
  readonly usbKernels?: readonly string[]
  /** Where the guest mounts the boot partition. */
  readonly bootMount?: string
  /** Whether its own first boot reads userconf.txt. */
  readonly userconf?: boolean
  /** Where the keys of a run go. */
  readonly slots: readonly {
    readonly path?: string
    readonly content: SlotContent
    readonly runs: readonly { offset: number; length: number }[]
  }[]
  /** Guest paths that exist only because of us. */
  readonly created: readonly string[]
  /** The release of the catalogue that it was made from, if it was one. */
  readonly release?: PreparedSummary['release']
}

export interface PrepareRequest {
  readonly image: ImageRef
  /** What the name of the image stands for, if it is one of the catalogue. */
  readonly release?: ResolvedRelease | undefined
  readonly sha256: string | undefined
  readonly provision: 'auto' | 'none'
  readonly cache: 'auto' | 'off' | 'read-only'
  /** With it, the image's own boot loader starts the image's own kernel. */
  readonly firmware?: 'uefi' | undefined
  /** The user asked for; by default `pi` where it exists, else `root`. */
  readonly user: string | undefined
  readonly hostname?: string | undefined
  readonly firstBoot?: 'skip' | 'run' | undefined
  readonly boot?: 'fast' | 'full' | undefined
  /** Bytes. */
  readonly diskSize?: number | undefined
}

interface Place {
  readonly home: Home
  readonly journal: Journal
  readonly log: Log
}

export interface Preparation {
  readonly image: PreparedImage
  /** Whether it was prepared before. */
  readonly cached: boolean
  /** Names what it was made from, and how. */
  readonly key: string
}

/** Raise when the shape of meta.json changes. */
const metaVersion = 3

/** The image, from a cache if it was prepared before, else made now. */
export async function prepareImage(request: PrepareRequest, place: Place, shared?: SharedCache): Promise<Preparation> {
  const { home, journal, log } = place
  const source = await openSource(request, home, log)
  const key = (sha256: string): string =>
    createHash('sha256')
      .update(
        JSON.stringify([
          ...[metaVersion, sha256, provisionVersion, request.provision, request.user ?? ''],
          ...[request.hostname ?? '', request.firstBoot ?? 'skip', request.diskSize ?? 0, request.firmware ?? ''],
          request.boot ?? 'fast'
        ])
      )
      .digest('hex')
      .slice(0, 24)
  const build = join(journal.folder, 'build')
  await mkdir(build)
  if (source.sha256 !== undefined && request.cache !== 'off') {
    const known = key(source.sha256)
    const folder = join(home.images, known)
    let image = await load(folder)
    if (image === undefined && (await shared?.restore({ kind: 'prepared', key: known }, build, place)) === true)
      image = await adopt(build, folder)
    if (image !== undefined) {
      source.close?.()
      if (request.release !== undefined) await note(request.release, source.sha256, home)
      log.info(`Already prepared: ${image.title}, ${image.architecture}, ${mib(image.diskSize)}`)
      return { image, cached: true, key: known }
    }
  }
  const sha256 = await source.unpackTo(join(build, 'disk.img'), build)
  if (request.release !== undefined) await note(request.release, sha256, home)
  await make(build, request, log)
  // Without a cache it lives and goes with the run.
  const image = request.cache === 'off' ? await load(build) : await adopt(build, join(home.images, key(sha256)))
  if (image === undefined) throw new Error(`the prepared image in ${build} cannot be read back`)
  return { image, cached: false, key: key(sha256) }
}

/** From now on this release needs neither a catalogue nor a published checksum. */
async function note({ release, catalogUrl }: ResolvedRelease, sha256: string, home: Home): Promise<void> {
  await rememberRelease(home, catalogUrl, { release, sha256 })
}

/** Looks at build/disk.img, provisions it, and writes beside it what a run needs to know. */
async function make(build: string, request: PrepareRequest, log: Log): Promise<void> {
  const disk = join(build, 'disk.img')
  if (request.diskSize !== undefined) await growDisk(disk, request.diskSize, build, log)
  const layout = await inspectDisk(disk)
  const bootFiles =
    request.firmware === undefined
      ? await takeBootFiles(disk, layout.boot.offset, join(build, 'boot'))
      : await noBootFiles(join(build, 'boot'))
  const root = new Ext4(disk, layout.root.offset)
  const facts = await readRootFacts(root)
  log.info(`${facts.title}, ${facts.architecture}, ${mib((await stat(disk)).size)}`)
  if (request.firmware !== undefined) await checkBootLoader(disk, layout.boot.offset, facts.architecture)
  const user = chooseUser(facts.users, request.user)
  const plan =
    request.provision === 'auto'
      ? provisioning(facts, user, request)
      : { edits: [], notes: [], slots: [], kernelArguments: [], created: [] }
  const created: string[] = []
  for (const path of plan.created) if (!(await root.exists(path))) created.push(path)
  await root.apply(plan.edits, build)
  for (const note of plan.notes) log.info(note)
  const slots = []
  for (const { path, content, start = 0 } of plan.slots)
    slots.push({ path, content, runs: await root.locate(path, start, slotLengths[content]) })
  const { family, title, architecture, users } = facts
  const meta: Omit<PreparedImage, 'folder' | 'disk'> = {
    ...{ family, title, architecture, users, layout, bootFiles, slots, created },
    usbKernels: namesNoCard(facts.texts?.['/etc/fstab']) ? await usbKernels(bootFiles, join(build, 'boot'), root) : [],
    bootMount: facts.bootMount ?? releaseOf(facts).bootMount,
    userconf: releaseOf(facts).userconf,
    diskSize: (await stat(disk)).size,
    kernelArguments: plan.kernelArguments,
    ...(request.release !== undefined && { release: inShort(request.release.release) })
  }
  await writeFile(join(build, 'meta.json'), JSON.stringify(meta, undefined, 1))
}

const inShort = ({ name, pin, date, version, codename }: Release): PreparedImage['release'] => ({
  ...{ name, pin, date, version, codename }
})

/**
 * The guest user: the one asked for, else `pi`, else `root`.
 * @throws BadInput if the image has no such user
 */
export function chooseUser(users: RootFacts['users'], asked: string | undefined): string {
  if (asked === undefined) return 'pi' in users ? 'pi' : 'root'
  if (Object.hasOwn(users, asked)) return asked
  const people = Object.keys(users).filter(
    name => name === 'root' || ((users[name]?.uid ?? 0) >= 1000 && name !== 'nobody')
  )
  throw new BadInput([`input \`user\` is “${asked}”, but the image has no such user; valid: ${people.join(', ')}`])
}

/** Moves a finished build into the cache. If another run was first, its result is as good as ours. */
async function adopt(build: string, folder: string): Promise<PreparedImage | undefined> {
  if ((await load(build)) === undefined) return undefined
  await mkdir(dirname(folder), { recursive: true })
  try {
    await rename(build, folder)
  } catch (error) {
    if (!['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error
    if ((await load(folder)) === undefined) {
      await rm(folder, { recursive: true, force: true })
      await rename(build, folder)
    }
  }
  return load(folder)
}

/** A prepared image in the cache; undefined if it is not there, or not whole. */
async function load(folder: string): Promise<PreparedImage | undefined> {
  try {
    const meta = JSON.parse(await readFile(join(folder, 'meta.json'), 'utf8')) as Omit<PreparedImage, 'folder' | 'disk'>
    const disk = join(folder, 'disk.img')
    const whole =
      (await stat(disk)).size === meta.diskSize &&
      meta.bootFiles.names.every(name => existsSync(join(folder, 'boot', name)))
    return whole ? { ...meta, folder, disk } : undefined
  } catch {
    return undefined
  }
}
