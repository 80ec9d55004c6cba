import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { elfProgram } from '../host/elf'
import { tryTool } from '../host/exec'
import { messageOf } from '../report/errors'
import type { Emulator } from './platforms'
import { testPrograms } from './test-programs'

/** Status of the test program: no failure of a shell or of QEMU has it. */
const expected = 42

/** A program of the platform that ends with status 42. */
export function testProgram({ elf, name }: Emulator): Buffer {
  const words = testPrograms[name]
  const code = Buffer.alloc(words.length * 4)
  for (const [at, word] of words.entries())
    if (elf.order === 'little') code.writeUInt32LE(word, at * 4)
    else code.writeUInt32BE(word, at * 4)
  return elfProgram(elf, code)
}

/** Runs a program of the platform, as anybody would; returns what went wrong, or undefined. */
export function selfTest(emulator: Emulator, scratch: string): Promise<string | undefined> {
  return withProgram(emulator, scratch, file => tryTool(file, []))
}

/** Runs a program of the platform by an emulator, whatever the kernel knows of it. With an argument it does not fork. */
export function directTest(interpreter: string, emulator: Emulator, scratch: string): Promise<string | undefined> {
  return withProgram(emulator, scratch, file => tryTool(interpreter, [file, 'once']))
}

async function withProgram(
  emulator: Emulator,
  scratch: string,
  run: (file: string) => Promise<{ readonly code: number; readonly stderr: string }>
): Promise<string | undefined> {
  const folder = await mkdtemp(join(scratch, 'self-test-'))
  const file = join(folder, emulator.name)
  try {
    await writeFile(file, testProgram(emulator))
    await chmod(file, 0o755)
    const { code, stderr } = await run(file)
    return code === expected ? undefined : `its status was ${code} and not ${expected}: ${stderr.trim()}`
  } catch (error) {
    return messageOf(error)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
