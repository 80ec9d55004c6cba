import { copyFile, mkdir, readdir } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { boards } from '../boards'
import type { CacheHits, Saves, SharedCache } from '../cache'
import { tool } from '../host/exec'
import { removeTree, type Home } from '../host/paths'
import { cachedTools, makeStaging, placeTool, toolCacheFolder, touchTool, type CachedTool } from '../host/tool-cache'
import { ensureTools } from '../host/tools'
import { fetchPackages } from '../host/packages'
import type { Journal } from '../journal'
import { HostFailure, messageOf } from '../report/errors'
import { mib, type Log } from '../report/log'
import { probe, type QemuInstall, type Start } from './probe'
import { qemuProgram } from './process'
import { hasBoard } from './version'

/** Debian release whose QEMU it is: the stable one. */
const suite = 'trixie'
/** Name in the tool cache. */
const toolName = 'pi-qemu-system-arm'
/** Past this (ms), it is looked whether Debian has a newer build: QEMU gets security fixes, too. */
const renewal = 30 * 24 * 60 * 60 * 1000

/** Debian's names for the hosts that it can be had for. */
const hosts: Readonly<Partial<Record<NodeJS.Architecture, { debian: string; triplet: string; loader: string }>>> = {
  x64: { debian: 'amd64', triplet: 'x86_64-linux-gnu', loader: 'ld-linux-x86-64.so.2' },
  arm64: { debian: 'arm64', triplet: 'aarch64-linux-gnu', loader: 'ld-linux-aarch64.so.1' }
}

/** What QEMU's Arm machines may read in share/qemu; the rest is firmware of other architectures. */
const sharedFiles = /^(keymaps|npcm.*\.bin|.*\.rom|vgabios.*|efi-.*|edk2-(arm|aarch64).*|firmware)$/

export interface PrivatePlace {
  readonly home: Home
  readonly journal: Journal
  readonly log: Log
  /** What other jobs made. */
  readonly shared?: SharedCache | undefined
  readonly saves?: Saves
  readonly hits?: CacheHits
}

/**
 * What other jobs find it under: for a calendar month (UTC), so that a job with an empty machine does not have an old
 * one for ever. The cache adds the host's architecture.
 */
export function sharedQemuKey(now: Date): string {
  return `${suite}-${now.toISOString().slice(0, 7)}`
}

/** Whether there can be a private QEMU on this host's architecture. */
export function hasPrivateQemu(): boolean {
  return hosts[process.arch] !== undefined
}

/** The version of the private QEMU that is in the cache, if one is. */
export async function cachedPrivateVersion(home: Home): Promise<string | undefined> {
  const [cached] = cachedTools(await toolCacheFolder(home, process.env), { name: toolName, arch: process.arch })
  return cached?.version.split('-')[0]
}

/**
 * How a private QEMU in a folder is started: by its own loader, with its own libraries, so that neither the host's
 * release nor its C library matters.
 */
export function privateInstall(folder: string, loader: string): Start & Pick<QemuInstall, 'origin'> {
  const lib = join(folder, 'lib')
  return {
    origin: 'private',
    program: join(lib, loader),
    // The host's ld.so.cache would bring in the host's libraries.
    arguments: [
      ...['--inhibit-cache', '--library-path', lib, join(folder, 'bin', qemuProgram), '-L', join(folder, 'share')],
      // Otherwise ps and top show the loader's name.
      ...['-name', `process=${qemuProgram}`]
    ],
    // Otherwise it tries the folder of the host's modules, which are another version's.
    env: { QEMU_MODULE_DIR: join(lib, 'qemu') }
  }
}

/** Semantic version that a build is kept under: `10.0.13-debian-0-deb13u1` for Debian's `1:10.0.13+ds-0+deb13u1`. */
export function cacheVersion({ version, build }: Pick<QemuInstall, 'version' | 'build'>): string {
  const revision = (/-([^-]+)$/.exec(build ?? '')?.[1] ?? '').replaceAll(/[^0-9A-Za-z]+/g, '-')
  return revision === '' ? version : `${version}-debian-${revision}`
}

/**
 * Debian stable's QEMU, apart from the host: from the tool cache, else fetched now. Past a month it is fetched again,
 * and the new one taken if there is one; where that fails, the old one does.
 * @throws HostFailure
 */
export async function providePrivateQemu(place: PrivatePlace): Promise<QemuInstall> {
  const { home, log } = place
  const host = hosts[process.arch]
  if (host === undefined) {
    throw new HostFailure({
      symptom: `there is no private QEMU for a host of the architecture ${process.arch}`,
      remedy: 'install a newer QEMU, and use `qemu: host`, or name the program as `qemu`'
    })
  }
  const root = await toolCacheFolder(home, process.env)
  let usable: { readonly install: QemuInstall; readonly tool: CachedTool } | undefined
  for (const cached of cachedTools(root, { name: toolName, arch: process.arch })) {
    const install = await whole(cached.folder, host.loader)
    if (install === undefined) log.info(`The private QEMU in ${cached.folder} is damaged`)
    else {
      usable = { install, tool: cached }
      break
    }
  }
  if (usable !== undefined && Date.now() - usable.tool.current < renewal) return usable.install
  try {
    return await fetchPrivateQemu(root, host, place)
  } catch (error) {
    if (usable === undefined) throw error
    log.warn(`The private QEMU is over a month old, and was not renewed: ${messageOf(error)}`)
    // Not asked again in every run; another user's cannot be marked so, and is.
    await touchTool(usable.tool).catch(() => undefined)
    return usable.install
  }
}

async function fetchPrivateQemu(
  root: string,
  { debian, triplet, loader }: { readonly debian: string; readonly triplet: string; readonly loader: string },
  place: PrivatePlace
): Promise<QemuInstall> {
  const { journal, log, shared, saves, hits } = place
  const stage = (): Promise<string> =>
    makeStaging(root, { name: toolName, run: journal.id }, path => {
      journal.record({ kind: 'partial', path })
    })
  const keep = async (staging: string): Promise<QemuInstall> => {
    const { version, build } = await check(staging, loader)
    const key = { name: toolName, version: cacheVersion({ version, build }), arch: process.arch }
    const folder = await placeTool(staging, root, key, async there => (await whole(there, loader)) !== undefined)
    log.info(`Kept in ${folder}`)
    return { ...privateInstall(folder, loader), version, build }
  }
  const entry = { kind: 'qemu', key: sharedQemuKey(new Date()) } as const
  if (shared !== undefined) {
    const staging = await stage()
    try {
      if (await shared.restore(entry, staging, place)) {
        const install = await keep(staging)
        hits?.note('qemu')
        return install
      }
    } catch (error) {
      log.warn(`QEMU in the Actions cache cannot be used: ${messageOf(error)}`)
    }
    await removeTree(staging)
  }
  await ensureTools(['mmdebstrap'], log)
  log.info(`Fetching QEMU from Debian ${suite}'s packages; the host's stays as it is`)
  const packages = join(journal.folder, 'qemu-packages')
  await fetchPackages({ architecture: debian, suite, packages: ['qemu-system-arm'], into: packages })
  const staging = await stage()
  log.info(`QEMU takes ${mib(await takeProgram(packages, staging, triplet, loader))}`)
  await removeTree(packages)
  const install = await keep(staging)
  const folder = dirname(dirname(install.program))
  if (shared?.canSave === true) void saves?.start('cache-save-qemu', () => shared.save(entry, folder, place))
  return install
}

/** Copies what is needed to run out of the unpacked packages: the program, its modules, their libraries. Returns bytes. */
async function takeProgram(packages: string, to: string, triplet: string, loader: string): Promise<number> {
  const lib = join(packages, 'usr/lib', triplet)
  const modules = (await readdir(join(lib, 'qemu'))).filter(name => name.endsWith('.so'))
  const program = join(packages, 'usr/bin', qemuProgram)
  const libraries = new Set<string>([join(lib, loader)])
  for (const file of [program, ...modules.map(name => join(lib, 'qemu', name))]) {
    const listed = await tool(join(lib, loader), ['--inhibit-cache', '--library-path', lib, '--list', file])
    for (const path of librariesIn(listed, packages)) libraries.add(path)
  }
  const share = join(packages, 'usr/share/qemu')
  const shared = (await readdir(share, { recursive: true, withFileTypes: true }))
    .filter(entry => entry.isFile())
    .map(entry => join(entry.parentPath, entry.name).slice(share.length + 1))
    .filter(path => sharedFiles.test(path.split('/')[0] ?? ''))
  const copies: readonly (readonly [from: string, to: string])[] = [
    [program, join('bin', qemuProgram)],
    ...[...libraries].map(path => [path, join('lib', basename(path))] as const),
    ...modules.map(name => [join(lib, 'qemu', name), join('lib/qemu', name)] as const),
    ...shared.map(path => [join(share, path), join('share', path)] as const)
  ]
  for (const [from, path] of copies) {
    await mkdir(dirname(join(to, path)), { recursive: true })
    await copyFile(from, join(to, path))
  }
  const sizes = await tool('du', ['-sb', to])
  return Number.parseInt(sizes)
}

/**
 * Files of the libraries that the dynamic loader lists for a program.
 * @throws HostFailure if one is not to be found below `root`
 */
export function librariesIn(listed: string, root: string): readonly string[] {
  return listed.split('\n').flatMap(line => {
    const [, name = '', path = ''] = /^\s*(\S+)(?: => (.+?))?(?: \(0x[0-9a-f]+\))?$/.exec(line) ?? []
    // The kernel's own, and what needs none.
    if (name === '' || /^linux-vdso/.test(name) || /statically linked/.test(line)) return []
    const file = path === '' && name.startsWith('/') ? name : path
    if (file.startsWith(`${root}/`)) return [file]
    throw new HostFailure({ symptom: `the packages of the private QEMU are not complete: no ${name}` })
  })
}

/** What is in a folder, if it runs. */
async function whole(folder: string, loader: string): Promise<QemuInstall | undefined> {
  return check(folder, loader).catch(() => undefined)
}

/** @throws HostFailure if it does not run, or lacks a board */
async function check(folder: string, loader: string): Promise<QemuInstall> {
  const start = privateInstall(folder, loader)
  const { title, machines } = await probe(start)
  const lacking = Object.values(boards).filter(
    board => title !== undefined && hasBoard(title.version, board) && !machines.has(board.machine)
  )
  if (title === undefined || lacking.length > 0) {
    throw new HostFailure({
      symptom: `the private QEMU in ${folder} ${title === undefined ? 'does not run' : `lacks ${lacking.map(({ name }) => name).join(', ')}`}`
    })
  }
  return { ...start, ...title }
}
