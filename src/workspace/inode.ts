/** Fields of an ext4 inode (kernel documentation, filesystems/ext4/inodes), read from its bytes. */

export type Kind = 'file' | 'folder' | 'link'

const kinds: Readonly<Record<number, Kind>> = { 0o040000: 'folder', 0o100000: 'file', 0o120000: 'link' }

/** What it is; undefined for devices, pipes and sockets. */
export const kindOf = (inode: Buffer): Kind | undefined => kinds[inode.readUInt16LE(0) & 0o170000]

/** Permissions, setuid and the like included. */
export const modeOf = (inode: Buffer): number => inode.readUInt16LE(0) & 0o7777

/** Bytes. */
export const sizeOf = (inode: Buffer): number => inode.readUInt32LE(0x04) + inode.readUInt32LE(0x6c) * 2 ** 32

/** ns since 1970. The field behind the seconds has nanoseconds in its upper 30 bits, and two more bits of the seconds. */
export function modifiedAt(inode: Buffer): bigint {
  const extra = inode.readUInt32LE(0x88)
  const seconds = BigInt(inode.readInt32LE(0x10)) + (BigInt(extra & 3) << 32n)
  return seconds * 1_000_000_000n + BigInt(extra >>> 2)
}

/** Sets {@link modifiedAt}; what ext4 cannot hold (before 1901, after 2446) is left as it is. */
export function setModifiedAt(inode: Buffer, ns: bigint): void {
  const nanoseconds = ((ns % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n
  const seconds = (ns - nanoseconds) / 1_000_000_000n
  const low = BigInt.asIntN(32, seconds)
  const epoch = (seconds - low) >> 32n
  if (epoch < 0n || epoch > 3n) return
  inode.writeInt32LE(Number(low), 0x10)
  inode.writeUInt32LE(((Number(nanoseconds) << 2) | Number(epoch)) >>> 0, 0x88)
}

export function setOwner(inode: Buffer, { uid, gid }: { readonly uid: number; readonly gid: number }): void {
  inode.writeUInt16LE(uid & 0xffff, 0x02)
  inode.writeUInt16LE(uid >>> 16, 0x78)
  inode.writeUInt16LE(gid & 0xffff, 0x18)
  inode.writeUInt16LE(gid >>> 16, 0x7a)
}

/** Sets the nanoseconds of the time of the last change; the seconds stay. */
export function setChangedNanoseconds(inode: Buffer, nanoseconds: number): void {
  // Room for the fields behind the old 128 bytes: a kernel ignores them otherwise.
  inode.writeUInt16LE(32, 0x80)
  inode.writeUInt32LE(((nanoseconds << 2) | (inode.readUInt32LE(0x84) & 3)) >>> 0, 0x84)
}

/**
 * All that can change in an inode, but for the time of the last access. Two of these are equal only if nothing was done
 * to the file between: its kernel sets the time of the last change (ctime) with each change, and no program can set that.
 */
export function stateOf(inode: Buffer): Buffer {
  const state = Buffer.from(inode.subarray(0, 160))
  state.fill(0, 0x08, 0x0c)
  state.fill(0, 0x8c, 0x90)
  return state
}
