/** What an ELF file is for, see elf(5): fields of its header. */
export interface ElfKind {
  /** EI_CLASS. */
  readonly bits: 32 | 64
  /** EI_DATA. */
  readonly order: 'little' | 'big'
  /** e_machine. */
  readonly machine: number
}

/** Where a program is in memory; a place that every platform has. */
const base = 0x400000

/** A static program: ELF header, one segment that is read and executed, and in it these bytes, which start at their first. */
export function elfProgram({ bits, order, machine }: ElfKind, code: Buffer): Buffer {
  const wide = bits === 64
  const [headerSize, segmentSize] = wide ? [64, 56] : [52, 32]
  const file = Buffer.concat([Buffer.alloc(headerSize + segmentSize), code])
  let at = 16
  const put = (size: 2 | 4 | 8, value: number): void => {
    if (order === 'little') {
      if (size === 8) file.writeBigUInt64LE(BigInt(value), at)
      else file.writeUIntLE(value, at, size)
    } else if (size === 8) file.writeBigUInt64BE(BigInt(value), at)
    else file.writeUIntBE(value, at, size)
    at += size
  }
  const word = wide ? 8 : 4
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits / 32, order === 'little' ? 1 : 2, 1]).copy(file)
  put(2, 2) // ET_EXEC
  put(2, machine)
  put(4, 1) // EV_CURRENT
  put(word, base + headerSize + segmentSize)
  put(word, headerSize) // of the segments' table
  put(word, 0) // no sections
  put(4, flagsOf(machine))
  for (const size of [headerSize, segmentSize, 1, 0, 0, 0]) put(2, size)
  put(4, 1) // PT_LOAD
  if (wide) put(4, 5) // readable and executable
  put(word, 0)
  put(word, base)
  put(word, base)
  put(word, file.length)
  put(word, file.length)
  if (!wide) put(4, 5)
  put(word, 0x10000)
  return file
}

/** e_flags that the kernel or QEMU asks for: Arm's EABI version 5, PowerPC's ABI version 2, MIPS64 release 2, LoongArch's LP64D. */
function flagsOf(machine: number): number {
  return ({ 40: 0x05000000, 21: 2, 8: 0x80000007, 258: 0x43 } as Readonly<Record<number, number>>)[machine] ?? 0
}
