import { closeSync, ftruncateSync, futimesSync, mkdirSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as breathe } from 'node:timers/promises'
import { blockSize, strange, type Ext4Disk } from './disk'
import { modifiedAt, sizeOf } from './inode'

/** 1 MiB, in blocks. */
const piece = 256

/** Copies files off a volume, by inode number: `<folder>/<inode>`. */
export async function fetchContents(disk: Ext4Disk, inodes: readonly number[], folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true })
  for (const inode of inodes) await copyContents(disk, inode, Buffer.from(join(folder, String(inode))))
}

/**
 * Copies one file off a volume to a new file of the host, with its time. Holes stay holes. Not asynchronous within a
 * piece, for the sake of many small files; signals are heard between pieces.
 */
export async function copyContents(disk: Ext4Disk, number: number, path: Buffer): Promise<void> {
  const inode = disk.inode(number)
  const size = sizeOf(inode)
  // Node counts exactly up to here; ext4 goes to 16 TiB.
  if (!Number.isSafeInteger(size)) throw strange('a file on it is too large')
  const fd = openSync(path, 'wx', 0o600)
  try {
    ftruncateSync(fd, size)
    for (const { logical, physical, length } of size === 0 ? [] : disk.extents(inode)) {
      for (let done = 0; done < length; done += piece) {
        const at = (logical + done) * blockSize
        // Blocks behind the end are allocated in advance.
        if (at >= size) break
        const blocks = disk.read(physical + done, Math.min(piece, length - done))
        writeAll(fd, blocks.subarray(0, Math.min(blocks.length, size - at)), at)
        if (blocks.length === piece * blockSize) await breathe()
      }
    }
    const seconds = Number(modifiedAt(inode)) / 1e9
    futimesSync(fd, seconds, seconds)
  } finally {
    closeSync(fd)
  }
}

function writeAll(fd: number, bytes: Buffer, position: number): void {
  for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done, bytes.length - done, position + done)
}
