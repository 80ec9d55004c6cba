import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tryTool } from '../host/exec'
import type { Emulator } from './platforms'

/** Where the test program is in memory; any place that every platform has. */
const base = 0x400000

/** Status of the test program: no failure of a shell or of QEMU has it. */
const expected = 42

/** A static program of the platform that ends with status 42: ELF header, one segment, a few instructions (elf(5)). */
export function testProgram({ elf: { bits, order, machine }, exits42 }: Emulator): Buffer {
  const wide = bits === 64
  const [headerSize, segmentSize] = wide ? [64, 56] : [52, 32]
  const file = Buffer.alloc(headerSize + segmentSize + exits42.length * 4)
  let at = 0
  const put = (size: 2 | 4 | 8, value: number): void => {
    if (order === 'little') {
      if (size === 8) file.writeBigUInt64LE(BigInt(value), at)
      else file.writeUIntLE(value, at, size)
    } else if (size === 8) file.writeBigUInt64BE(BigInt(value), at)
    else file.writeUIntBE(value, at, size)
    at += size
  }
  const word = wide ? 8 : 4
  const entry = base + headerSize + segmentSize
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, bits / 32, order === 'little' ? 1 : 2, 1]).copy(file)
  at = 16
  put(2, 2) // ET_EXEC
  put(2, machine)
  put(4, 1) // EV_CURRENT
  put(word, entry)
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
  for (const instruction of exits42) put(4, instruction)
  return file
}

/** e_flags that the kernel or QEMU asks for: Arm's EABI version 5, PowerPC's ABI version 2. */
function flagsOf(machine: number): number {
  return ({ 40: 0x05000000, 21: 2 } as Readonly<Record<number, number>>)[machine] ?? 0
}

/** Runs a program of the platform, as anybody would; returns what went wrong, or undefined. */
export async function selfTest(emulator: Emulator, scratch: string): Promise<string | undefined> {
  const folder = await mkdtemp(join(scratch, 'self-test-'))
  const file = join(folder, emulator.name)
  try {
    await writeFile(file, testProgram(emulator))
    await chmod(file, 0o755)
    const { code, stderr } = await tryTool(file, [])
    return code === expected ? undefined : `its status was ${code} and not ${expected}: ${stderr.trim()}`
  } catch (error) {
    return (error as Error).message
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
