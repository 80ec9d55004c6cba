import { closeSync, fstatSync, openSync, readSync } from 'node:fs'
import type { ElfKind } from '../../host/elf'

/** A part of the file that is loaded, or that says something about it: elf(5), Elf32_Phdr and Elf64_Phdr. */
export interface Segment {
  readonly type: number
  readonly executable: boolean
  readonly offset: number
  readonly address: number
  /** Bytes in the file. */
  readonly size: number
}

/** A section, for those who read more than the kernel does: Elf32_Shdr and Elf64_Shdr. */
export interface Section {
  readonly name: string
  readonly type: number
  readonly offset: number
  readonly size: number
  /** Another section that this one refers to, by number. */
  readonly link: number
  readonly entrySize: number
}

/** An ELF file as far as its header and segments. All else is read when it is asked for, since files can be large. */
export interface Elf extends ElfKind {
  /** e_type: 2 is an executable, 3 a shared object or a position-independent program. */
  readonly type: number
  readonly flags: number
  /** Where the table of segments is in the file. */
  readonly segmentsAt: number
  readonly segments: readonly Segment[]
  /** Bytes by their place in the file; fewer where it ends. */
  readonly bytes: (at: number, size: number) => Buffer
  /** An unsigned number of 1, 2, 4 or 8 bytes in the file's byte order. */
  readonly number: (from: Buffer, at: number, size: number) => number
  /** The sections; empty where they were cut away. */
  readonly sections: () => readonly Section[]
}

/** Numbers of segment types. */
export const segmentType = { load: 1, dynamic: 2, interpreter: 3 } as const

/**
 * Reads the header of an ELF file.
 * @returns undefined for another kind of file
 * @throws RangeError for one that is cut off
 */
export function readElf(bytes: Elf['bytes']): Elf | undefined {
  const head = bytes(0, 64)
  if (head.length < 52 || head.readUInt32BE(0) !== 0x7f454c46) return undefined
  const wide = head[4] === 2
  const little = head[5] === 1
  const number = (from: Buffer, at: number, size: number): number => {
    if (size === 8) return Number(little ? from.readBigUInt64LE(at) : from.readBigUInt64BE(at))
    return little ? from.readUIntLE(at, size) : from.readUIntBE(at, size)
  }
  // After e_entry all fields but two are in both classes; what is before them differs in width.
  const word = wide ? 8 : 4
  const afterWords = 24 + 3 * word
  const short = (index: number): number => number(head, afterWords + 4 + 2 * index, 2)
  const segmentsAt = number(head, 24 + word, word)
  const sectionsAt = number(head, 24 + 2 * word, word)
  const table = (at: number, size: number, count: number): readonly Buffer[] => {
    const all = bytes(at, size * count)
    return Array.from({ length: count }, (_, index) => all.subarray(index * size, (index + 1) * size))
  }
  const segment = (row: Buffer): Segment => ({
    type: number(row, 0, 4),
    executable: (number(row, wide ? 4 : 24, 4) & 1) === 1,
    offset: number(row, wide ? 8 : 4, word),
    address: number(row, wide ? 16 : 8, word),
    size: number(row, wide ? 32 : 16, word)
  })
  const section = (row: Buffer): Omit<Section, 'name'> & { readonly nameAt: number } => ({
    nameAt: number(row, 0, 4),
    type: number(row, 4, 4),
    offset: number(row, wide ? 24 : 16, word),
    size: number(row, wide ? 32 : 20, word),
    link: number(row, wide ? 40 : 24, 4),
    entrySize: number(row, wide ? 56 : 36, word)
  })
  return {
    bits: wide ? 64 : 32,
    order: little ? 'little' : 'big',
    machine: number(head, 18, 2),
    type: number(head, 16, 2),
    flags: number(head, afterWords, 4),
    segmentsAt,
    segments: table(segmentsAt, short(1), short(2)).map(segment),
    bytes,
    number,
    sections: () => {
      if (sectionsAt === 0) return []
      const rows = table(sectionsAt, short(3), short(4)).map(section)
      const names = rows[short(5)]
      const text = names === undefined ? Buffer.alloc(0) : bytes(names.offset, names.size)
      return rows.map(({ nameAt, ...row }) => ({ name: textAt(text, nameAt), ...row }))
    }
  }
}

/** Text of a table, up to the zero that ends it. */
export function textAt(table: Buffer, at: number): string {
  const end = table.indexOf(0, at)
  return table.toString('latin1', at, end < 0 ? table.length : end)
}

/** Where an address of the file's own count is in it; undefined for one that it does not fill. */
export function offsetOf({ segments }: Elf, address: number): number | undefined {
  const found = segments.find(
    ({ type, address: start, size }) => type === segmentType.load && address >= start && address < start + size
  )
  return found && address - found.address + found.offset
}

/**
 * Looks into an ELF file; it is open for that time only.
 * @returns undefined if it is not one, or is cut off
 * @throws what the file system says of a file that cannot be read
 */
export function lookInto<T>(path: string, look: (elf: Elf) => T): T | undefined {
  const file = openSync(path, 'r')
  try {
    const length = fstatSync(file).size
    const elf = readElf((at, size) => {
      const buffer = Buffer.alloc(Math.max(0, Math.min(size, length - at)))
      return buffer.subarray(0, readSync(file, buffer, 0, buffer.length, at))
    })
    return elf && look(elf)
  } catch (error) {
    // By its name, since it comes from Node's own part.
    if ((error as Error).name === 'RangeError') return undefined
    throw error
  } finally {
    closeSync(file)
  }
}
