import { realpathSync } from 'node:fs'
import type { Emulator } from '../platforms'
import { armAttributes } from './arm-attributes'
import { lookInto, type Elf } from './elf-reader'
import { afterSystemCall, readInstruction } from './instruction'
import { addressOf, guestBase, mappedAt, readMaps, segmentsAddress } from './memory-map'
import type { FilePlace, Illegal } from './sigill'
import { symbolAt } from './symbols'
import type { Fault } from './watch'

export interface Located {
  readonly program: string
  readonly emulator: Emulator['name']
  readonly cpu: string
}

/**
 * The fault that ended a program, and the file it lies in. A program may have handled earlier ones, and one that
 * handles SIGILL to say a last word may send it to itself again: that one is passed over.
 */
export function locate(faults: readonly Fault[], { program, emulator, cpu }: Located): Illegal | undefined {
  const fault = faults.filter(({ thumb, before }) => !afterSystemCall(emulator, thumb, before)).at(-1)
  if (fault === undefined) return undefined
  const { address, thumb, bytes } = fault
  const complete = bytes.length >= 4 ? bytes : bytes.length === 2 ? Buffer.concat([bytes, Buffer.alloc(2)]) : undefined
  return {
    ...{ program, emulator, cpu, address, thumb },
    instruction: complete && readInstruction(emulator, thumb, complete),
    place: placeOf(fault, program)
  }
}

function placeOf({ address, vector, maps }: Fault, program: string): FilePlace | undefined {
  const real = realpathSync(program)
  const rows = readMaps(maps)
  const base = lookInto(program, elf => {
    const segmentsAt = segmentsAddress(vector, elf)
    return segmentsAt === undefined ? undefined : guestBase(rows, real, elf, segmentsAt)
  })
  const at = base === undefined ? undefined : mappedAt(rows, base + address)
  if (at === undefined) return undefined
  const own = at.path === real
  return lookInto(at.path, elf => {
    const inFile = addressOf(elf, at.offset)
    return inFile === undefined ? undefined : describe(elf, own ? program : at.path, own, inFile)
  })
}

function describe(elf: Elf, path: string, program: boolean, address: number): FilePlace {
  const arm = elf.machine === 40
  return {
    ...{ path, program, address },
    symbol: symbolAt(elf, address),
    attributes: arm ? armAttributes(elf) : undefined,
    // EF_ARM_ABI_FLOAT_HARD
    hardFloat: arm && (elf.flags & 0x400) !== 0
  }
}
