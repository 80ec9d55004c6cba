import type { Emulator } from '../platforms'

/** An instruction at which a program stopped. */
export interface Instruction {
  /** As a disassembler shows it: one word, or two halves in Thumb. */
  readonly hex: string
  /** One that no CPU has: what compilers put for a trap. */
  readonly trap: boolean
}

/** Whether the instruction before is a system call: then the signal was sent, as raise(3) and kill(2) do it. */
export function afterSystemCall(name: Emulator['name'], thumb: boolean, before: Buffer): boolean {
  if (before.length < 4) return false
  if (thumb) return before[3] === 0xdf
  if (name === 'aarch64') return before.readUInt32LE() === 0xd4000001
  return ((before[3] ?? 0) & 0x0f) === 0x0f
}

/** Reads the instruction that some bytes begin with; they are at least four. Arm's and little-endian, all of them. */
export function readInstruction(name: Emulator['name'], thumb: boolean, bytes: Buffer): Instruction {
  const hex = (value: number, digits: number): string => value.toString(16).padStart(digits, '0')
  if (thumb) {
    const first = bytes.readUInt16LE()
    // The five highest bits tell the long ones (Arm Architecture Reference Manual, A6.1).
    if (first >>> 11 < 0x1d) return { hex: hex(first, 4), trap: first >>> 8 === 0xde }
    const second = bytes.readUInt16LE(2)
    return {
      hex: `${hex(first, 4)} ${hex(second, 4)}`,
      trap: first >>> 4 === 0xf7f && second >>> 12 === 0xa
    }
  }
  const word = bytes.readUInt32LE()
  // UDF: in A64 the upper half is 0; in A32 it is a range of its own, of which the last four bits vary with who emits it.
  const trap = name === 'aarch64' ? word >>> 16 === 0 : (word & 0x0ff000f0) >>> 0 === 0x07f000f0
  return { hex: hex(word, 8), trap }
}
