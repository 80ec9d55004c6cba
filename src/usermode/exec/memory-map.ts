import { segmentType, type Elf } from './elf-reader'

/** A mapped file in the emulator's memory: a line of /proc/PID/maps, see proc(5). */
export interface Mapping {
  readonly start: number
  readonly end: number
  /** Byte of the file that is at `start`. */
  readonly offset: number
  readonly path: string
}

/** Reads the lines that are about files. */
export function readMaps(text: string): readonly Mapping[] {
  return text.split('\n').flatMap(line => {
    const found = /^([0-9a-f]+)-([0-9a-f]+) \S+ ([0-9a-f]+) \S+ \d+ +(\/.*)$/.exec(line)
    if (found === null) return []
    const [, start = '', end = '', offset = '', path = ''] = found
    const hex = (digits: string): number => Number.parseInt(digits, 16)
    return [{ start: hex(start), end: hex(end), offset: hex(offset), path }]
  })
}

/** Address, in a file's own count, of a byte of it. Of two segments that share a page, the one with code. */
export function addressOf({ segments }: Elf, offset: number): number | undefined {
  const loaded = segments.filter(
    ({ type, offset: start, size }) => type === segmentType.load && offset >= start && offset < start + size
  )
  const segment = loaded.find(({ executable }) => executable) ?? loaded[0]
  return segment && offset - segment.offset + segment.address
}

/**
 * What has to be added to a program's addresses to get those in the emulator's memory. The program knows where its table
 * of segments is (AT_PHDR, see getauxval(3)); the emulator's map tells where the same byte of the file is.
 */
export function guestBase(maps: readonly Mapping[], program: string, elf: Elf, segmentsAt: number): number | undefined {
  const row = maps.find(
    ({ path, start, end, offset }) =>
      path === program && elf.segmentsAt >= offset && elf.segmentsAt < offset + end - start
  )
  return row && row.start + elf.segmentsAt - row.offset - segmentsAt
}

/** The file, and the byte of it, that is at an address of the emulator's memory. */
export function mappedAt(
  maps: readonly Mapping[],
  address: number
): { readonly path: string; readonly offset: number } | undefined {
  const row = maps.find(({ start, end }) => address >= start && address < end)
  return row && { path: row.path, offset: row.offset + address - row.start }
}

/** AT_PHDR of an auxiliary vector. */
export function segmentsAddress(vector: Buffer, elf: Elf): number | undefined {
  const word = elf.bits / 8
  for (let at = 0; at + 2 * word <= vector.length; at += 2 * word)
    if (elf.number(vector, at, word) === 3) return elf.number(vector, at + word, word)
  return undefined
}
