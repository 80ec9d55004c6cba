import { randomBytes } from 'node:crypto'
import { stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../host/paths'
import type { ImageRef } from '../inputs'
import { BadInput } from '../report/errors'
import { mib, type Log } from '../report/log'
import { takeBootFiles, type BootFiles } from './boot-files'
import { rememberRelease, type PreparedSummary, type Release, type ResolvedRelease } from './catalogue'
import { Ext4 } from './ext4'
import { readRootFacts, type RootFacts } from './families'
import { growDisk } from './grow'
import { slotLengths, type SlotContent } from './keys'
import { inspectDisk, type DiskLayout } from './partitions'
import { provisioning, type Replaced } from './provision'
import { releaseOf } from './releases'
import type { Provenance } from './store'
import { checkBootLoader, noBootFiles } from './uefi'
import { namesNoCard, usbKernels } from './usb-root'

/** An image ready to boot: unpacked, looked at, provisioned; free of anything that belongs to one run. */
export interface PreparedImage extends Pick<RootFacts, 'family' | 'title' | 'architecture' | 'users'> {
  readonly folder: string
  /** Tells it from another image made of the same things: no two have the same bytes. */
  readonly id: string
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
  /** Guest files that read otherwise because of us. */
  readonly replaced: readonly Replaced[]
  /** The release of the catalogue that it was made from, if it was one. */
  readonly release?: PreparedSummary['release']
  /** What `prepare` made it from, if it did. */
  readonly provenance?: Provenance
}

export interface PrepareRequest {
  readonly image: ImageRef
  /** What the name of the image stands for, if it is one of the catalogue. */
  readonly release?: ResolvedRelease | undefined
  readonly sha256: string | undefined
  readonly provision: 'auto' | 'none'
  /** With it, the image's own boot loader starts the image's own kernel. */
  readonly firmware?: 'uefi' | undefined
  /** The user asked for; by default `pi` where it exists, else `root`. */
  readonly user: string | undefined
  /** Whether `prepare` follows, which may be what adds the user. */
  readonly isBase?: boolean | undefined
  readonly hostname?: string | undefined
  readonly firstBoot?: 'skip' | 'run' | undefined
  readonly boot?: 'fast' | 'full' | undefined
  /** Bytes. */
  readonly diskSize?: number | undefined
}

/** From now on this release needs neither a catalogue nor a published checksum. */
export async function noteRelease({ release, catalogUrl }: ResolvedRelease, sha256: string, home: Home): Promise<void> {
  await rememberRelease(home, catalogUrl, { release, sha256 })
}

/** Looks at build/disk.img, provisions it, and writes beside it what a run needs to know. */
export async function makeImage(build: string, request: PrepareRequest, log: Log): Promise<void> {
  const disk = join(build, 'disk.img')
  if (request.diskSize !== undefined) await growDisk(disk, request.diskSize, build, log)
  const layout = await inspectDisk(disk)
  const root = new Ext4(disk, layout.root.offset)
  const [bootFiles, facts] = await Promise.all([
    request.firmware === undefined
      ? takeBootFiles(disk, layout.boot.offset, join(build, 'boot'))
      : noBootFiles(join(build, 'boot')),
    readRootFacts(root)
  ])
  log.info(`${facts.title}, ${facts.architecture}, ${mib((await stat(disk)).size)}`)
  if (request.firmware !== undefined) await checkBootLoader(disk, layout.boot.offset, facts.architecture)
  const user =
    request.isBase === true && request.user !== undefined ? request.user : chooseUser(facts.users, request.user)
  const plan =
    request.provision === 'auto'
      ? provisioning(facts, user, request)
      : { edits: [], notes: [], slots: [], kernelArguments: [], created: [], replaced: [] }
  const there = await root.existing(plan.created)
  const created = plan.created.filter(path => !there.has(path))
  await root.apply(plan.edits, build)
  for (const note of plan.notes) log.info(note)
  const slots = []
  for (const { path, content, start = 0 } of plan.slots)
    slots.push({ path, content, runs: await root.locate(path, start, slotLengths[content]) })
  await describeImage(build, {
    ...{ facts, root, layout, bootFiles, slots, created, kernelArguments: plan.kernelArguments },
    replaced: plan.replaced,
    release: request.release && inShort(request.release.release)
  })
}

type Description = Pick<
  PreparedImage,
  'layout' | 'bootFiles' | 'slots' | 'created' | 'replaced' | 'kernelArguments'
> & {
  readonly facts: RootFacts
  readonly root: Ext4
  readonly release: PreparedImage['release'] | undefined
  readonly provenance?: Provenance
}

/** Writes beside build/disk.img what a run needs to know of it. */
export async function describeImage(build: string, { facts, root, release, ...rest }: Description): Promise<void> {
  const { family, title, architecture, users } = facts
  const meta: Omit<PreparedImage, 'folder' | 'disk'> = {
    ...{ family, title, architecture, users, ...rest },
    id: randomBytes(8).toString('hex'),
    usbKernels: namesNoCard(facts.texts?.['/etc/fstab'])
      ? await usbKernels(rest.bootFiles, join(build, 'boot'), root)
      : [],
    bootMount: facts.bootMount ?? releaseOf(facts).bootMount,
    userconf: releaseOf(facts).userconf,
    diskSize: (await stat(join(build, 'disk.img'))).size,
    ...(release !== undefined && { release })
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
