import type { Architecture } from '../../boards'
import { elfProgram } from '../../host/elf'

/**
 * A program of a few instructions that makes the kernel's random number generator take up, at once, what was written to
 * /dev/urandom: `ioctl(open("/dev/urandom", O_RDONLY), RNDRESEEDCRNG)`, see random(4). No shell can do that, and without
 * it two guests that continue from one memory draw the same numbers for minutes.
 * @returns a static ELF file; undefined for an architecture that no board continues
 */
export function reseedProgram(architecture: Architecture): Buffer | undefined {
  switch (architecture) {
    case 'arm64':
      return elfProgram({ bits: 64, order: 'little', machine: 183 }, code(arm64))
    case 'armhf':
      return elfProgram({ bits: 32, order: 'little', machine: 40 }, code(arm))
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
