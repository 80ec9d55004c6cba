import { offsetOf, segmentType, textAt, type Elf } from './elf-reader'

/** What a file tells the dynamic loader. */
export interface Dynamic {
  /** Libraries that it needs, by name. */
  readonly needed: readonly string[]
  /** Folders to look in for its own libraries and for those that these need; `$ORIGIN` is the file's own folder. */
  readonly rpath: readonly string[]
  /** Folders to look in for its own libraries. */
  readonly runpath: readonly string[]
}

/** Tags of the dynamic section: elf(5). */
const tag = { end: 0, needed: 1, strings: 5, stringsSize: 10, rpath: 15, runpath: 29 } as const

/** The dynamic section; nothing at all for a static program. */
export function dynamicOf(elf: Elf): Dynamic {
  const segment = elf.segments.find(({ type }) => type === segmentType.dynamic)
  if (segment === undefined) return { needed: [], rpath: [], runpath: [] }
  const word = elf.bits / 8
  const rows = elf.bytes(segment.offset, segment.size)
  const entries: { readonly tag: number; readonly value: number }[] = []
  for (let at = 0; at + 2 * word <= rows.length; at += 2 * word) {
    const entry = { tag: elf.number(rows, at, word), value: elf.number(rows, at + word, word) }
    if (entry.tag === tag.end) break
    entries.push(entry)
  }
  const values = (wanted: number): readonly number[] =>
    entries.filter(entry => entry.tag === wanted).map(({ value }) => value)
  const stringsAt = offsetOf(elf, values(tag.strings)[0] ?? 0)
  const strings = stringsAt === undefined ? Buffer.alloc(0) : elf.bytes(stringsAt, values(tag.stringsSize)[0] ?? 0)
  const texts = (wanted: number): readonly string[] => values(wanted).map(at => textAt(strings, at))
  const folders = (wanted: number): readonly string[] => texts(wanted).flatMap(text => text.split(':').filter(Boolean))
  return { needed: texts(tag.needed), rpath: folders(tag.rpath), runpath: folders(tag.runpath) }
}

/** The dynamic loader that a program names; undefined for a static one. */
export function interpreterOf(elf: Elf): string | undefined {
  const segment = elf.segments.find(({ type }) => type === segmentType.interpreter)
  return segment && textAt(elf.bytes(segment.offset, segment.size), 0)
}
