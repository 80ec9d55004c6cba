import type { FailureDetails } from '../../report/errors'
import type { Emulator } from '../platforms'
import { builtFor, type ArmAttributes } from './arm-attributes'
import { cpuFacts, withArticle, type CpuFacts } from './cpus'
import type { Instruction } from './instruction'
import type { SymbolPlace } from './symbols'

/** Where an illegal instruction is in a file. */
export interface FilePlace {
  readonly path: string
  /** Whether it is the program itself, or a library. */
  readonly program: boolean
  /** Address as the file counts, which is how disassemblers show it. */
  readonly address: number
  readonly symbol: SymbolPlace | undefined
  /** What the file says it was built for; 32-bit Arm only. */
  readonly attributes: ArmAttributes | undefined
  /** Whether a library's or program's functions take floating-point numbers in registers (Debian's armhf). */
  readonly hardFloat: boolean
}

/** What is known of the end of a program by SIGILL. */
export interface Illegal {
  readonly program: string
  readonly emulator: Emulator['name']
  readonly cpu: string
  /** Address in the program's memory. */
  readonly address: number
  readonly thumb: boolean
  readonly instruction: Instruction | undefined
  /** Undefined for code that belongs to no file. */
  readonly place: FilePlace | undefined
}

const hex = (value: number): string => `0x${value.toString(16)}`

/** Says what happened, why, and what to do. */
export function describeIllegal(illegal: Illegal): FailureDetails {
  const { program, cpu, instruction, place } = illegal
  const facts = cpuFacts(cpu)
  const name = facts?.name ?? withArticle(cpu)
  if (instruction?.trap === true) {
    return {
      symptom: `${program} was killed by SIGILL: it ran into a trap\n${whereabouts(illegal)}`,
      cause:
        'compilers put such an instruction, which no CPU has, where a program is to end: __builtin_trap, a failed check, code that cannot be reached',
      remedy: 'look for the reason in the program; the CPU is not at fault'
    }
  }
  return {
    symptom: `${program} was killed by SIGILL: this program uses an instruction that ${name} lacks\n${whereabouts(illegal)}`,
    cause: cause(place, name, facts),
    remedy: remedy(place, cpu, facts)
  }
}

function whereabouts({ address, emulator, thumb, instruction, place }: Illegal): string {
  const set = emulator === 'aarch64' ? 'A64' : thumb ? 'T32' : 'A32'
  const lines = [
    `  address: ${hex(address)}`,
    place === undefined
      ? '  file: none; the program made this code itself, in memory'
      : `  file: ${place.path}, at ${hex(place.address)} in it`,
    place &&
      `  symbol: ${place.symbol === undefined ? 'none (the file is stripped)' : `${place.symbol.name} + ${hex(place.symbol.offset)}`}`,
    instruction && `  instruction: ${instruction.hex} (${set})`
  ]
  return lines.filter(line => line !== undefined).join('\n')
}

function cause(place: FilePlace | undefined, cpu: string, facts: CpuFacts | undefined): string | undefined {
  if (place === undefined) return `the program generates code, and for more than ${cpu} has`
  const built = place.attributes && builtFor(place.attributes)
  const runs = facts === undefined ? '' : `; ${cpu} is ${facts.architecture}`
  if (built === undefined)
    return facts === undefined ? undefined : `${place.path} was built for a CPU with more than ${cpu} has`
  if (facts !== undefined && built.age > facts.age) return `${place.path} was built for ${built.name}${runs}`
  const neon = place.attributes?.neon === true ? ' with NEON' : ''
  return `${place.path} says it was built for ${built.name}${neon}${runs}. The instruction came in with assembly, with a function that was built for more, or needs a unit that this CPU lacks`
}

function remedy(place: FilePlace | undefined, cpu: string, facts: CpuFacts | undefined): string {
  const flags = facts?.flags ?? `-mcpu=${cpu.replace(/,.*/, '')}`
  if (place === undefined) return `have it generate code for ${withArticle(cpu)}`
  // Raspberry Pi OS calls its own port armhf, too, and builds it for ARMv6.
  const old = place.hardFloat && facts !== undefined && facts.age < 7
  if (place.program) {
    const compiler =
      "; Debian's arm-linux-gnueabihf-gcc does not do: what it links in is ARMv7. Use a compiler made for Raspberry Pi OS, or arm-linux-gnueabi-gcc"
    return `build it with ${flags}${old ? compiler : ''}`
  }
  return old
    ? "Debian armhf is ARMv7: use Raspberry Pi OS's libraries (armhf, but ARMv6), or those of Debian armel"
    : `use a library that was built for this CPU (${flags})`
}
