import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { HostFailure } from '../report/errors'

/** Bytes; {@link makeExt4} makes no other. */
export const blockSize = 4096
const inodeSize = 256

/** Inodes are read and written this many at a time: 64 KiB, a whole number of blocks. */
const inodesAtOnce = 256

/** The root folder's inode in every ext4. */
export const rootInode = 2

/** A run of blocks of a file; what lies between runs is a hole. */
export interface Extent {
  /** Where in the file, in blocks. */
  readonly logical: number
  /** Where on the volume, in blocks. */
  readonly physical: number
  /** In blocks. */
  readonly length: number
}

/**
 * An ext4 file system in a file, as {@link makeExt4} makes one without a journal, read past any kernel: the layout is in
 * the kernel's documentation (filesystems/ext4: super, group_descr, inodes, ifork). A guest may have written anything
 * to it, so every number is looked at before it is used.
 */
export class Ext4Disk {
  private readonly chunks = new Map<number, Buffer>()
  private readonly dirty = new Set<number>()

  private constructor(
    private readonly fd: number,
    private readonly blocks: number,
    private readonly inodesPerGroup: number,
    /** First block of each group's inode table. */
    private readonly tables: readonly number[]
  ) {}

  /** @throws HostFailure if it is another file system than the one that was made */
  static open(file: string, mode: 'r' | 'r+'): Ext4Disk {
    const fd = openSync(file, mode)
    try {
      return Ext4Disk.inspect(fd)
    } catch (error) {
      closeSync(fd)
      throw error
    }
  }

  private static inspect(fd: number): Ext4Disk {
    const superblock = readAt(fd, 1024, 1024)
    const word = (at: number): number => superblock.readUInt32LE(at)
    const blocks = word(0x04)
    const blocksPerGroup = word(0x20)
    const inodesPerGroup = word(0x28)
    // filetype, extent, flex_bg; of those that only forbid writing: sparse_super, large_file, huge_file, dir_nlink, extra_isize.
    const known = word(0x60) === 0x242 && (word(0x64) & ~0x6b) === 0
    const sizes = word(0x18) === 2 && superblock.readUInt16LE(0x58) === inodeSize && word(0x14) === 0
    if (superblock.readUInt16LE(0x38) !== 0xef53 || !known || !sizes || blocksPerGroup === 0 || inodesPerGroup === 0)
      throw strange('its superblock is not the one that was made')
    const groups = Math.ceil(blocks / blocksPerGroup)
    if (groups * inodesPerGroup !== word(0x00)) throw strange('its number of inodes is impossible')
    const descriptors = readAt(fd, blockSize, groups * 32)
    const tables = Array.from({ length: groups }, (_, group) => descriptors.readUInt32LE(group * 32 + 8))
    return new Ext4Disk(fd, blocks, inodesPerGroup, tables)
  }

  /** The bytes of an inode; a view, for {@link change} to write to. */
  inode(number: number): Buffer {
    const { chunk, index } = this.chunkOf(number)
    return this.load(chunk).subarray(index * inodeSize, (index + 1) * inodeSize)
  }

  /** Changes an inode in memory; {@link flush} writes it. */
  change(number: number, edit: (inode: Buffer) => void): void {
    edit(this.inode(number))
    this.dirty.add(this.chunkOf(number).chunk)
  }

  flush(): void {
    for (const chunk of this.dirty) {
      const bytes = this.load(chunk)
      writeSync(this.fd, bytes, 0, bytes.length, this.offsetOf(chunk))
    }
    this.dirty.clear()
  }

  close(): void {
    closeSync(this.fd)
  }

  /** Where the contents of a file or folder lie, in order; blocks that are allocated, but were never written, are holes. */
  extents(inode: Buffer): readonly Extent[] {
    const flags = inode.readUInt32LE(0x20)
    // EXT4_EXTENTS_FL; EXT4_ENCRYPT_FL, EXT4_EA_INODE_FL, EXT4_INLINE_DATA_FL and the like store contents elsewhere.
    if ((flags & 0x80000) === 0 || (flags & 0x10200800) !== 0)
      throw strange('a file on it stores its contents in a way that is not known here (chattr?)')
    const found: Extent[] = []
    this.collect(inode.subarray(0x28, 0x64), 5, found)
    return found
  }

  private collect(node: Buffer, depthLimit: number, found: Extent[]): void {
    const entries = node.readUInt16LE(2)
    const depth = node.readUInt16LE(6)
    if (node.readUInt16LE(0) !== 0xf30a || depth > depthLimit || 12 + entries * 12 > node.length)
      throw strange('the map of a file on it is impossible')
    for (let at = 12; at < 12 + entries * 12; at += 12) {
      if (depth > 0) {
        const child = node.readUInt32LE(at + 4) + node.readUInt16LE(at + 8) * 2 ** 32
        this.collect(this.read(child, 1), depth - 1, found)
        continue
      }
      const logical = node.readUInt32LE(at)
      const length = node.readUInt16LE(at + 4)
      const physical = node.readUInt16LE(at + 6) * 2 ** 32 + node.readUInt32LE(at + 8)
      // Longer ones are allocated, but unwritten (EXT_INIT_MAX_LEN).
      if (length > 32768) continue
      const end = found.at(-1)
      if (physical + length > this.blocks || (end !== undefined && logical < end.logical + end.length))
        throw strange('the map of a file on it leads nowhere')
      found.push({ logical, physical, length })
    }
  }

  /** Blocks, by their place on the volume. */
  read(block: number, count: number): Buffer {
    if (block < 1 || block + count > this.blocks) throw strange('it refers to a block that it does not have')
    return readAt(this.fd, block * blockSize, count * blockSize)
  }

  private chunkOf(number: number): { readonly chunk: number; readonly index: number } {
    if (number < 1 || number > this.inodesPerGroup * this.tables.length)
      throw strange(`it refers to inode ${number}, which it does not have`)
    const perGroup = Math.ceil(this.inodesPerGroup / inodesAtOnce)
    const inGroup = (number - 1) % this.inodesPerGroup
    const group = Math.floor((number - 1) / this.inodesPerGroup)
    return { chunk: group * perGroup + Math.floor(inGroup / inodesAtOnce), index: inGroup % inodesAtOnce }
  }

  private offsetOf(chunk: number): number {
    const perGroup = Math.ceil(this.inodesPerGroup / inodesAtOnce)
    const table = this.tables[Math.floor(chunk / perGroup)] ?? 0
    return table * blockSize + (chunk % perGroup) * inodesAtOnce * inodeSize
  }

  private load(chunk: number): Buffer {
    const known = this.chunks.get(chunk)
    if (known !== undefined) return known
    const perGroup = Math.ceil(this.inodesPerGroup / inodesAtOnce)
    // The last chunk of a table may be short: behind the table lies something else.
    const count = Math.min(inodesAtOnce, this.inodesPerGroup - (chunk % perGroup) * inodesAtOnce)
    const bytes = readAt(this.fd, this.offsetOf(chunk), count * inodeSize)
    this.chunks.set(chunk, bytes)
    return bytes
  }
}

function readAt(fd: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length)
  for (let done = 0; done < length;) {
    const count = readSync(fd, bytes, done, length - done, position + done)
    if (count === 0) throw strange('it ends too early')
    done += count
  }
  return bytes
}

/** The failure for a volume that no kernel leaves so; nothing has been brought back then. */
export function strange(what: string): HostFailure {
  return new HostFailure({
    symptom: `the workspace's volume cannot be read: ${what}; nothing was brought back`,
    cause: 'the guest wrote to the volume past its file system, or changed its settings',
    remedy: 'do not trust this image with `sync: both` or `out`'
  })
}
