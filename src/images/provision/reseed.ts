import type { Architecture } from '../../boards'

/**
 * A program of a few instructions that makes the kernel's random number generator take up, at once, what was written to
 * /dev/urandom: `ioctl(open("/dev/urandom", O_RDONLY), RNDRESEEDCRNG)`, see random(4). No shell can do that, and without
 * it two guests that continue from one memory draw the same numbers for minutes.
 * @returns a static ELF file; undefined for an architecture that no board continues
 */
export function reseedProgram(architecture: Architecture): Buffer | undefined {
  switch (architecture) {
    case 'arm64':
      return elf64(code(arm64))
    case 'armhf':
      return elf32(code(arm))
    case 'armel':
      return undefined
  }
}

/** As an assembler writes them; the name of the device follows. */
const arm64 = [
  0x92800c60, // mov x0, #-100 (AT_FDCWD)
  0x10000141, // adr x1, the name
  0xd2800002, // mov x2, #0 (O_RDONLY)
  0xd2800708, // mov x8, #56 (openat)
  0xd4000001, // svc #0
  0xd28a40e1, // mov x1, #0x5207 (RNDRESEEDCRNG)
  0xd2800002, // mov x2, #0
  0xd28003a8, // mov x8, #29 (ioctl)
  0xd4000001, // svc #0
  0xd2800ba8, // mov x8, #93 (exit): 0, or the low byte of the error
  0xd4000001 // svc #0
]

const arm = [
  0xe28f0028, // add r0, pc, #40: the name
  0xe3a01000, // mov r1, #0 (O_RDONLY)
  0xe3a02000, // mov r2, #0
  0xe3a07005, // mov r7, #5 (open)
  0xef000000, // svc #0
  0xe3a01c52, // mov r1, #0x5200
  0xe3811007, // orr r1, r1, #7 (RNDRESEEDCRNG)
  0xe3a02000, // mov r2, #0
  0xe3a07036, // mov r7, #54 (ioctl)
  0xef000000, // svc #0
  0xe3a07001, // mov r7, #1 (exit): 0, or the low byte of the error
  0xef000000 // svc #0
]

function code(instructions: readonly number[]): Buffer {
  const words = Buffer.alloc(instructions.length * 4)
  instructions.forEach((word, at) => words.writeUInt32LE(word, at * 4))
  return Buffer.concat([words, Buffer.from('/dev/urandom\0')])
}

/** Where the file is in memory. */
const base = 0x400000
const executable = { type: 2, current: 1, load: 1, readAndExecute: 5, pageSize: 0x10000 } as const

/** An ELF file with one segment, see elf(5): header, program header, code. */
function elf64(text: Buffer): Buffer {
  const [header, program] = [Buffer.alloc(64), Buffer.alloc(56)]
  const size = header.length + program.length + text.length
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]).copy(header)
  header.writeUInt16LE(executable.type, 16)
  header.writeUInt16LE(183, 18) // EM_AARCH64
  header.writeUInt32LE(executable.current, 20)
  header.writeBigUInt64LE(BigInt(base + header.length + program.length), 24)
  header.writeBigUInt64LE(BigInt(header.length), 32)
  header.writeUInt16LE(header.length, 52)
  header.writeUInt16LE(program.length, 54)
  header.writeUInt16LE(1, 56)
  program.writeUInt32LE(executable.load, 0)
  program.writeUInt32LE(executable.readAndExecute, 4)
  for (const at of [16, 24]) program.writeBigUInt64LE(BigInt(base), at)
  for (const at of [32, 40]) program.writeBigUInt64LE(BigInt(size), at)
  program.writeBigUInt64LE(BigInt(executable.pageSize), 48)
  return Buffer.concat([header, program, text])
}

function elf32(text: Buffer): Buffer {
  const [header, program] = [Buffer.alloc(52), Buffer.alloc(32)]
  const size = header.length + program.length + text.length
  Buffer.from([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]).copy(header)
  header.writeUInt16LE(executable.type, 16)
  header.writeUInt16LE(40, 18) // EM_ARM
  header.writeUInt32LE(executable.current, 20)
  header.writeUInt32LE(base + header.length + program.length, 24)
  header.writeUInt32LE(header.length, 28)
  header.writeUInt32LE(0x05000000, 36) // EF_ARM_EABI_VER5
  header.writeUInt16LE(header.length, 40)
  header.writeUInt16LE(program.length, 42)
  header.writeUInt16LE(1, 44)
  const fields = [executable.load, 0, base, base, size, size, executable.readAndExecute, executable.pageSize]
  fields.forEach((field, at) => program.writeUInt32LE(field, at * 4))
  return Buffer.concat([header, program, text])
}
