import { textAt, type Elf, type Section } from './elf-reader'

/** A function, and how far into it an address is. */
export interface SymbolPlace {
  readonly name: string
  /** Bytes from its start. */
  readonly offset: number
}

/** Section types. */
const tables = { symbols: 2, dynamicSymbols: 11 } as const
/** Types of symbols that code can belong to: assembly often has none, functions have, and those with several versions. */
const codeTypes: readonly number[] = [0, 2, 10]

/** The symbol that an address of the file's own count belongs to: of all its symbols, or of what is left in a stripped file. */
export function symbolAt(elf: Elf, address: number): SymbolPlace | undefined {
  const sections = elf.sections()
  for (const type of [tables.symbols, tables.dynamicSymbols]) {
    const table = sections.find(section => section.type === type)
    const names = table && sections[table.link]
    const found = table && names && nearest(elf, table, names, address)
    if (found !== undefined) return found
  }
  return undefined
}

function nearest(elf: Elf, table: Section, names: Section, address: number): SymbolPlace | undefined {
  const wide = elf.bits === 64
  const rows = elf.bytes(table.offset, table.size)
  const texts = elf.bytes(names.offset, names.size)
  let best: { readonly start: number; readonly size: number; readonly name: string } | undefined
  for (let at = 0; table.entrySize > 0 && at + table.entrySize <= rows.length; at += table.entrySize) {
    const value = elf.number(rows, at + (wide ? 8 : 4), wide ? 8 : 4)
    const type = elf.number(rows, at + (wide ? 4 : 12), 1) & 15
    const section = elf.number(rows, at + (wide ? 6 : 14), 2)
    // Arm marks Thumb functions by the lowest bit.
    const start = elf.machine === 40 && type === 2 ? value - (value & 1) : value
    if (section === 0 || !codeTypes.includes(type) || start > address || start < (best?.start ?? 0)) continue
    const name = textAt(texts, elf.number(rows, at, 4))
    const size = elf.number(rows, at + (wide ? 16 : 8), wide ? 8 : 4)
    // $a, $t, $d and $x tell code from data. Of two names for one place the one that knows its size is better.
    if (name === '' || /^\$[atdx](\..*)?$/.test(name) || (start === best?.start && size <= best.size)) continue
    best = { start, size, name }
  }
  // Beyond its end lies something that has no name.
  if (best === undefined || (best.size > 0 && address >= best.start + best.size)) return undefined
  return { name: best.name, offset: address - best.start }
}
