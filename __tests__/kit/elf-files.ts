/** Contents of an ELF file, as far as tests are about them. */
export interface ElfContents {
  readonly bits?: 32 | 64
  readonly order?: 'little' | 'big'
  readonly machine?: number
  /** e_type; 3 unless told. */
  readonly type?: number
  readonly flags?: number
  /** Address of the file's first byte when it is loaded. */
  readonly base?: number
  readonly interpreter?: string
  readonly needed?: readonly string[]
  readonly rpath?: string
  readonly runpath?: string
  readonly symbols?: readonly {
    readonly name: string
    readonly value: number
    readonly size: number
    readonly type: number
  }[]
  /** Whether the symbols are those that stripping leaves. */
  readonly stripped?: boolean
  readonly attributes?: Buffer
}

/** Writes an ELF file of one loaded segment, which holds all of it, by the tables of elf(5). */
export function elfFile(contents: ElfContents): Buffer {
  const { bits = 32, order = 'little', machine = 40, type = 3, flags = 0, base = 0, symbols = [] } = contents
  const wide = bits === 64
  const word = wide ? 8 : 4
  const pack = (...fields: readonly (readonly [size: number, value: number])[]): Buffer =>
    Buffer.concat(
      fields.map(([size, value]) => {
        const bytes = Buffer.alloc(8)
        bytes.writeBigUInt64LE(BigInt(value))
        const cut = bytes.subarray(0, size)
        return order === 'little' ? cut : Buffer.from(cut).reverse()
      })
    )
  const words = (...values: readonly number[]): Buffer => pack(...values.map(value => [word, value] as const))
  const header = wide ? 64 : 52
  const segmentSize = wide ? 56 : 32
  const texts = (list: readonly string[]): { readonly bytes: Buffer; readonly at: (text: string) => number } => {
    const bytes = Buffer.from(`\0${list.join('\0')}\0`)
    return { bytes, at: text => bytes.indexOf(`\0${text}\0`) + 1 }
  }
  const parts: Buffer[] = []
  let at = header + 3 * segmentSize
  const put = (bytes: Buffer): number => {
    const place = at
    parts.push(bytes)
    at += bytes.length
    return place
  }
  const interpreter = Buffer.from(`${contents.interpreter ?? ''}\0`)
  const interpreterAt = put(interpreter)
  const { needed = [], rpath, runpath } = contents
  const dynamicTexts = texts([
    ...needed,
    ...(rpath === undefined ? [] : [rpath]),
    ...(runpath === undefined ? [] : [runpath])
  ])
  const textsAt = put(dynamicTexts.bytes)
  const dynamic = words(
    ...needed.flatMap(name => [1, dynamicTexts.at(name)]),
    ...(rpath === undefined ? [] : [15, dynamicTexts.at(rpath)]),
    ...(runpath === undefined ? [] : [29, dynamicTexts.at(runpath)]),
    ...[5, base + textsAt, 10, dynamicTexts.bytes.length, 0, 0]
  )
  const dynamicAt = put(dynamic)
  const symbolTexts = texts(symbols.map(({ name }) => name))
  const symbolTextsAt = put(symbolTexts.bytes)
  const rows = symbols.map(({ name, value, size, type: kind }) =>
    wide
      ? Buffer.concat([pack([4, symbolTexts.at(name)], [1, 16 + kind], [1, 0], [2, 1]), words(value, size)])
      : pack([4, symbolTexts.at(name)], [4, value], [4, size], [1, 16 + kind], [1, 0], [2, 1])
  )
  const rowSize = wide ? 24 : 16
  const symbolTable = Buffer.concat([Buffer.alloc(rowSize), ...rows])
  const symbolsAt = put(symbolTable)
  const { attributes = Buffer.alloc(0) } = contents
  const attributesAt = put(attributes)
  const names = texts(['symbols', 'texts', '.ARM.attributes', 'names'])
  const namesAt = put(names.bytes)
  const section = (name: string, kind: number, place: number, size: number, link = 0, row = 0): Buffer =>
    Buffer.concat([
      ...[pack([4, names.at(name)], [4, kind]), words(0, 0, place, size), pack([4, link], [4, 0]), words(1, row)]
    ])
  const sectionSize = wide ? 64 : 40
  const sections = [
    Buffer.alloc(sectionSize),
    section('symbols', contents.stripped === true ? 11 : 2, symbolsAt, symbolTable.length, 2, rowSize),
    section('texts', 3, symbolTextsAt, symbolTexts.bytes.length),
    section('.ARM.attributes', 0x70000003, attributesAt, attributes.length),
    section('names', 3, namesAt, names.bytes.length)
  ]
  const sectionsAt = put(Buffer.concat(sections))
  const segment = (kind: number, place: number, size: number): Buffer =>
    wide
      ? Buffer.concat([pack([4, kind], [4, 5]), words(place, base + place, base + place, size, size, 0x1000)])
      : pack(...[kind, place, base + place, base + place, size, size, 5, 0x1000].map(value => [4, value] as const))
  return Buffer.concat([
    Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits / 32, order === 'little' ? 1 : 2, 1, ...Array<number>(9).fill(0)]),
    pack([2, type], [2, machine], [4, 1]),
    words(base, header, sectionsAt),
    pack([4, flags], [2, header], [2, segmentSize], [2, 3], [2, sectionSize], [2, sections.length], [2, 4]),
    segment(1, 0, at),
    segment(contents.interpreter === undefined ? 0 : 3, interpreterAt, interpreter.length),
    segment(contents.interpreter === undefined && needed.length === 0 ? 0 : 2, dynamicAt, dynamic.length),
    ...parts
  ])
}
