import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { elfProgram } from '../host/elf'
import { tryTool } from '../host/exec'
import type { Emulator } from './platforms'

/** Status of the test program: no failure of a shell or of QEMU has it. */
const expected = 42

/** A program of the platform that ends with status 42. */
export function testProgram({ elf, exits42 }: Emulator): Buffer {
  const code = Buffer.alloc(exits42.length * 4)
  for (const [at, word] of exits42.entries())
    if (elf.order === 'little') code.writeUInt32LE(word, at * 4)
    else code.writeUInt32BE(word, at * 4)
  return elfProgram(elf, code)
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
