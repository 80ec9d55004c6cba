import { HostFailure } from '../report/errors'
import { blockSize, rootInode, strange, type Ext4Disk } from './disk'
import { kindOf, modeOf, modifiedAt, sizeOf, type Kind } from './inode'
import { below, type BytePath, type Excluded } from './tree'

/** A file, folder or link on a volume. */
export interface VolumeEntry {
  readonly kind: Kind
  readonly inode: number
  /** Permissions. */
  readonly mode: number
  /** Bytes. */
  readonly size: number
  readonly mtimeNs: bigint
  /** What a link leads to. */
  readonly target?: Buffer
}

/** The target of a shorter link lies in the inode itself. */
const fastLink = 60
/** The kernel's limit (PATH_MAX), and ext4's: a block. */
const longestTarget = 4096

/**
 * Everything on a volume, folders before what they hold; excluded paths and what is below them left out. The names come
 * from the guest, which may have written them past its kernel, so each is looked at before a path is made of it.
 * @throws HostFailure for names that no kernel makes
 */
export function listVolume(disk: Ext4Disk, excluded: Excluded): ReadonlyMap<BytePath, VolumeEntry> {
  const all = new Map<BytePath, VolumeEntry>()
  const seen = new Set([rootInode])
  const folders: (readonly [inode: number, path: BytePath])[] = [[rootInode, '']]
  for (const [folder, folderPath] of folders) {
    for (const [name, number] of namesIn(contentsOf(disk, folder), folderPath)) {
      const path = below(folderPath, name)
      const inode = disk.inode(number)
      const kind = kindOf(inode)
      if (kind === undefined || excluded(path, kind === 'folder')) continue
      const [mode, size, mtimeNs] = [modeOf(inode), sizeOf(inode), modifiedAt(inode)]
      const entry = { kind, inode: number, mode, size, mtimeNs }
      all.set(path, kind === 'link' ? { ...entry, target: targetOf(disk, number, size) } : entry)
      if (kind !== 'folder') continue
      // A folder has one name only.
      if (seen.has(number)) throw crafted(path)
      seen.add(number)
      folders.push([number, path])
    }
  }
  return all
}

/** The contents of a folder or a long link, which are small and without holes. */
function contentsOf(disk: Ext4Disk, number: number): Buffer {
  const inode = disk.inode(number)
  return Buffer.concat(disk.extents(inode).map(({ physical, length }) => disk.read(physical, length)))
}

function targetOf(disk: Ext4Disk, number: number, size: number): Buffer {
  if (size > longestTarget) throw strange('a link on it is too long')
  const target =
    size < fastLink
      ? Buffer.from(disk.inode(number).subarray(0x28, 0x28 + size))
      : contentsOf(disk, number).subarray(0, size)
  if (target.length !== size || size === 0 || target.includes(0)) throw strange('a link on it leads nowhere')
  return target
}

/**
 * Names and inodes in a folder's blocks, without the folder itself and its parent. Blocks of its index look like
 * blocks with nothing in them.
 */
export function namesIn(blocks: Buffer, folder: BytePath): ReadonlyMap<BytePath, number> {
  const names = new Map<BytePath, number>()
  for (let at = 0; at < blocks.length;) {
    const inode = blocks.readUInt32LE(at)
    const length = blocks.readUInt16LE(at + 4)
    const end = at + 8 + blocks.readUInt8(at + 6)
    const blockEnd = (Math.floor(at / blockSize) + 1) * blockSize
    if (length < 8 || length % 4 !== 0 || at + length > blockEnd || (inode !== 0 && end > at + length))
      throw crafted(folder)
    const name = blocks.toString('latin1', at + 8, end)
    at += length
    if (inode === 0 || name === '.' || name === '..') continue
    if (name === '' || /[/\0]/.test(name) || names.has(name)) throw crafted(below(folder, name))
    names.set(name, inode)
  }
  return names
}

function crafted(what: string): HostFailure {
  return new HostFailure({
    symptom: `the workspace's volume has a name that no kernel makes (${JSON.stringify(what)}); nothing was brought back`,
    cause: 'the guest wrote to the volume past its file system',
    remedy: 'do not trust this image'
  })
}
