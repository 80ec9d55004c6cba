import type { ElfKind } from '../host/elf'
import type { ToolName } from '../host/tools'
import { BadInput } from '../report/errors'

/** Platforms that share an emulator. */
export interface Emulator {
  /** What follows `qemu-` in its name. */
  readonly name: 'aarch64' | 'arm' | 'riscv64' | 'ppc64le' | 's390x'
  /** What its programs are recognised by. */
  readonly elf: ElfKind
  /** Node's name of hosts that run it themselves. */
  readonly native?: NodeJS.Architecture
  /** Instructions of a program that ends with status 42, as words in the platform's order. */
  readonly exits42: readonly number[]
}

const aarch64: Emulator = {
  name: 'aarch64',
  elf: { bits: 64, order: 'little', machine: 183 },
  native: 'arm64',
  exits42: [0xd2800540, 0xd2800ba8, 0xd4000001] // mov x0, #42; mov x8, #93; svc #0
}
const arm: Emulator = {
  name: 'arm',
  elf: { bits: 32, order: 'little', machine: 40 },
  exits42: [0xe3a0002a, 0xe3a07001, 0xef000000] // mov r0, #42; mov r7, #1; svc #0
}
const riscv64: Emulator = {
  name: 'riscv64',
  elf: { bits: 64, order: 'little', machine: 243 },
  exits42: [0x02a00513, 0x05d00893, 0x00000073] // li a0, 42; li a7, 93; ecall
}
const ppc64le: Emulator = {
  name: 'ppc64le',
  elf: { bits: 64, order: 'little', machine: 21 },
  exits42: [0x3860002a, 0x38000001, 0x44000002] // li r3, 42; li r0, 1; sc
}
const s390x: Emulator = {
  name: 's390x',
  elf: { bits: 64, order: 'big', machine: 22 },
  native: 's390x',
  exits42: [0xa729002a, 0x0a010000] // lghi %r2, 42; svc 1
}

export interface Platform {
  /** Docker's name. */
  readonly name: string
  readonly emulator: Emulator
  /** What a Pi has; programs are not offered more than that. */
  readonly cpu?: string
}

/** Platforms by Docker's names, the Pi's first. */
export const platforms: readonly Platform[] = [
  { name: 'linux/arm64', emulator: aarch64, cpu: 'cortex-a72' },
  { name: 'linux/arm/v7', emulator: arm, cpu: 'cortex-a7' },
  { name: 'linux/arm/v6', emulator: arm, cpu: 'arm1176' },
  { name: 'linux/arm/v5', emulator: arm, cpu: 'arm926' },
  { name: 'linux/riscv64', emulator: riscv64 },
  { name: 'linux/ppc64le', emulator: ppc64le },
  { name: 'linux/s390x', emulator: s390x }
]

/** The row of a platform, by Docker's name. */
export function platform(name: string): Platform {
  const found = platforms.find(row => row.name === name)
  if (found === undefined) throw new Error(`no platform ${name}`)
  return found
}

/** Other names for the same, as Docker takes them. */
const aliases: Readonly<Record<string, string>> = {
  'linux/arm64/v8': 'linux/arm64',
  'linux/arm': 'linux/arm/v7',
  arm64: 'linux/arm64',
  arm: 'linux/arm/v7'
}

/**
 * The platforms of a list, separated by commas or line breaks; `all` is all of them.
 * @throws BadInput for a name that is none
 */
export function readPlatforms(text: string): readonly Platform[] {
  const names = text.split(/[\s,]+/).filter(name => name !== '')
  if (names.length === 1 && names[0] === 'all') return platforms
  const found = names.map(asked => ({ asked, row: platforms.find(({ name }) => name === (aliases[asked] ?? asked)) }))
  const wrong = found.filter(({ row }) => row === undefined).map(({ asked }) => `“${asked}”`)
  if (wrong.length > 0 || names.length === 0) {
    const valid = ['all', ...platforms.map(({ name }) => name)].join(', ')
    throw new BadInput([
      `\`platforms\` ${names.length === 0 ? 'is empty' : `has ${wrong.join(', ')}, which is no platform`}; valid: ${valid}`
    ])
  }
  return platforms.filter(platform => found.some(({ row }) => row === platform))
}

/**
 * The platform of a flag.
 * @throws BadInput for a name that is none
 */
export function readPlatform(flag: string, text: string): Platform {
  const found = platforms.find(({ name }) => name === (aliases[text] ?? text))
  if (found !== undefined) return found
  throw new BadInput([
    `\`${flag}\` is “${text}”, which is no platform; valid: ${platforms.map(({ name }) => name).join(', ')}`
  ])
}

/** Debian's static program of an emulator. */
export const staticEmulator = ({ name }: Emulator): ToolName => `qemu-${name}-static`

/** The emulators that some platforms need on a host, each once. */
export function emulatorsFor(
  wanted: readonly Platform[],
  host: NodeJS.Architecture = process.arch
): readonly Emulator[] {
  return [...new Set(wanted.map(({ emulator }) => emulator))].filter(({ native }) => native !== host)
}
