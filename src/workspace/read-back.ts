import { chmod, link, mkdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tryTool } from '../host/exec'
import { HostFailure } from '../report/errors'
import { below, bytes, type BytePath } from './tree'

export interface VolumeEntry {
  readonly path: BytePath
  readonly inode: number
  /** Type and permissions, as in stat(2). */
  readonly mode: number
  readonly size: number
}

/** Permissions of the folders; on the host they stay open until all is in place. */
export type FolderModes = ReadonlyMap<BytePath, number>

const types = { folder: 0o040000, file: 0o100000, link: 0o120000 } as const
const isA = (kind: keyof typeof types) => (entry: VolumeEntry) => (entry.mode & 0o170000) === types[kind]
/** The root folder's inode in every ext4. */
const rootInode = 2
/** The target of a shorter link lies in the inode itself. */
const fastLink = 60

/**
 * Copies a volume's files, folders and links to a new folder. The names come from the guest, which may have written
 * them past its kernel. So each is looked at before a path is made of it, folders are made by us, contents are fetched
 * by inode number, and links come last: nothing can lead out of the folder. Hard links stay hard links.
 * @throws HostFailure for names that no kernel makes; nothing is copied then
 */
export async function readBack(volume: string, to: string): Promise<FolderModes> {
  const entries = await listAll(volume)
  await mkdir(to)
  const modes = new Map<BytePath, number>()
  for (const { path, mode } of entries.filter(isA('folder'))) {
    await mkdir(bytes(to, path), { mode: 0o700 })
    modes.set(path, mode & 0o7777)
  }
  const contents = join(to, '..', 'contents')
  await mkdir(contents)
  const at = (inode: number): string => join(contents, String(inode))
  const links = entries.filter(isA('link'))
  const files = entries.filter(isA('file'))
  await debugfs(volume, [
    ...[...new Set(files.map(({ inode }) => inode))].map(inode => `dump -p <${inode}> "${at(inode)}"`),
    ...links.filter(({ size }) => size >= fastLink).map(({ inode }) => `dump <${inode}> "${at(inode)}"`)
  ])
  const first = new Map<number, BytePath>()
  for (const { path, inode } of files) {
    const earlier = first.get(inode)
    if (earlier === undefined) await rename(at(inode), bytes(to, path))
    else await link(bytes(to, earlier), bytes(to, path))
    first.set(inode, earlier ?? path)
  }
  const targets = await shortTargets(
    volume,
    links.filter(({ size }) => size < fastLink)
  )
  for (const { path, inode, size } of links) {
    const target = size < fastLink ? targets.get(inode) : (await readFile(at(inode))).toString('latin1')
    if (target !== undefined && target !== '') await symlink(Buffer.from(target, 'latin1'), bytes(to, path))
  }
  await rm(contents, { recursive: true })
  return modes
}

/** Everything on the volume, folders before what they hold; one call of debugfs per level of depth. */
async function listAll(volume: string): Promise<readonly VolumeEntry[]> {
  const all: VolumeEntry[] = []
  const seen = new Set([rootInode])
  for (let level = new Map<number, BytePath>([[rootInode, '']]); level.size > 0;) {
    const output = await debugfs(
      volume,
      [...level.keys()].map(inode => `ls -p <${inode}>`)
    )
    const next = new Map<number, BytePath>()
    for (const section of output.split(/^debugfs: ls -p /m).slice(1)) {
      const folder = level.get(Number(/^<(\d+)>/.exec(section)?.[1]))
      if (folder === undefined) throw crafted(section.slice(0, 60))
      for (const entry of listed(section, folder)) {
        all.push(entry)
        if (!isA('folder')(entry)) continue
        // A folder has one name only.
        if (seen.has(entry.inode)) throw crafted(entry.path)
        seen.add(entry.inode)
        next.set(entry.inode, entry.path)
      }
    }
    level = next
  }
  return all
}

/** The entries in what `ls -p` printed of one folder: `/inode/mode/uid/gid/name/size/`, a line each. */
export function listed(section: string, folder: BytePath): readonly VolumeEntry[] {
  const names = new Set<string>()
  // A name may hold line breaks, but no slash: between slashes lies exactly one name.
  const rows = [...section.matchAll(/^\/(\d+)\/(\d{6})\/(\d+)\/(\d+)\/([^/]*)\/(\d*)\/$/gm)]
  const unread = section.replace(/^<\d+>\n/, '').replace(/^\/\d+\/\d{6}\/\d+\/\d+\/[^/]*\/\d*\/$/gm, '')
  if (unread.trim() !== '') throw crafted(unread.trim().slice(0, 60))
  return rows.flatMap(([, inode, mode, , , name = '', size]) => {
    if (name === '.' || name === '..') return []
    if (name === '' || name.includes('\0') || names.has(name)) throw crafted(below(folder, name))
    names.add(name)
    return [
      { path: below(folder, name), inode: Number(inode), mode: Number.parseInt(mode ?? '', 8), size: Number(size) }
    ]
  })
}

async function shortTargets(volume: string, links: readonly VolumeEntry[]): Promise<ReadonlyMap<number, string>> {
  if (links.length === 0) return new Map()
  const output = await debugfs(
    volume,
    links.map(({ inode }) => `stat <${inode}>`)
  )
  return new Map(
    output
      .split(/^debugfs: stat /m)
      .slice(1)
      .map(section => [Number(/^<(\d+)>/.exec(section)?.[1]), /^Fast link dest: "([^]*)"\n/m.exec(section)?.[1] ?? ''])
  )
}

/** Runs commands read-only; returns what they print, a character per byte, each part behind its command. */
async function debugfs(volume: string, commands: readonly string[]): Promise<string> {
  if (commands.length === 0) return ''
  const script = join(volume, '..', 'read-back')
  await writeFile(script, commands.join('\n') + '\n')
  const { stdout, stderr } = await tryTool('debugfs', ['-f', script, volume], { input: '', encoding: 'latin1' })
  // Only root may restore owners; nobody asked for that.
  const faults = stderr.split('\n').filter(line => !/^$|^debugfs \d|while changing ownership/.test(line))
  if (faults.length > 0)
    throw new HostFailure({ symptom: `the workspace's volume cannot be read:\n${faults.slice(0, 5).join('\n')}` })
  return stdout
}

function crafted(what: string): HostFailure {
  return new HostFailure({
    symptom: `the workspace's volume has a name that no kernel makes (${JSON.stringify(what)}); nothing was brought back`,
    cause: 'the guest wrote to the volume past its file system',
    remedy: 'do not trust this image'
  })
}

/** Gives the folders the permissions they had on the volume, the deepest first: a folder may close its parents. */
export async function closeFolders(root: string, modes: FolderModes): Promise<void> {
  for (const [path, mode] of [...modes].reverse()) await chmod(bytes(root, path), mode)
}
