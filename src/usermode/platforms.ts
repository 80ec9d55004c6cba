import type { Architecture } from '../boards'
import type { ElfKind } from '../host/elf'
import type { ToolName } from '../host/tools'
import { BadInput } from '../report/errors'
import type { testPrograms } from './test-programs'

/** What follows `qemu-` in an emulator's name. */
export type EmulatorName = keyof typeof testPrograms

/** Platforms that share an emulator. */
export interface Emulator {
  readonly name: EmulatorName
  /** What its programs are recognised by. */
  readonly elf: ElfKind
  /** Node's names of hosts that always run it themselves. */
  readonly native?: readonly NodeJS.Architecture[]
  /** Hosts some of which do: whether this one does shows by trying. */
  readonly maybeNative?: NodeJS.Architecture
}

const little64 = (machine: number): ElfKind => ({ bits: 64, order: 'little', machine })
const little32 = (machine: number): ElfKind => ({ bits: 32, order: 'little', machine })

const aarch64: Emulator = { name: 'aarch64', elf: little64(183), native: ['arm64'] }
const arm: Emulator = { name: 'arm', elf: little32(40), native: ['arm'], maybeNative: 'arm64' }

export interface Platform {
  /** Docker's name. */
  readonly name: string
  readonly emulator: Emulator
  /** What a Pi has; programs are not offered more than that. */
  readonly cpu?: string
}

/** Platforms by Docker's names, the Pi's first; of those that share an emulator the most capable first. */
export const platforms: readonly Platform[] = [
  { name: 'linux/arm64', emulator: aarch64, cpu: 'cortex-a72' },
  { name: 'linux/arm/v7', emulator: arm, cpu: 'cortex-a7' },
  { name: 'linux/arm/v6', emulator: arm, cpu: 'arm1176' },
  { name: 'linux/arm/v5', emulator: arm, cpu: 'arm926' },
  { name: 'linux/riscv64', emulator: { name: 'riscv64', elf: little64(243) } },
  { name: 'linux/ppc64le', emulator: { name: 'ppc64le', elf: little64(21) } },
  {
    name: 'linux/s390x',
    emulator: { name: 's390x', elf: { bits: 64, order: 'big', machine: 22 }, native: ['s390x'] }
  },
  { name: 'linux/mips64le', emulator: { name: 'mips64el', elf: little64(8) } },
  { name: 'linux/loong64', emulator: { name: 'loongarch64', elf: little64(258), native: ['loong64'] } },
  { name: 'linux/amd64', emulator: { name: 'x86_64', elf: little64(62), native: ['x64'] } },
  // Never registered on amd64: it would take the host's own 32-bit programs.
  { name: 'linux/386', emulator: { name: 'i386', elf: little32(3), native: ['x64', 'ia32'] } }
]

/** The row of a platform, by Docker's name. */
export function platform(name: string): Platform {
  const found = platforms.find(row => row.name === name)
  if (found === undefined) throw new Error(`no platform ${name}`)
  return found
}

/** Whose programs the images of each architecture have; armel is what a Pi 1 runs. */
export const platformOfImages: Readonly<Record<Architecture, Platform>> = {
  arm64: platform('linux/arm64'),
  armhf: platform('linux/arm/v7'),
  armel: platform('linux/arm/v6')
}

/** Other names for the same, as Docker takes them. */
const aliases: Readonly<Record<string, string>> = {
  'linux/arm64/v8': 'linux/arm64',
  'linux/arm': 'linux/arm/v7',
  arm64: 'linux/arm64',
  arm: 'linux/arm/v7'
}

export interface WantedPlatforms {
  readonly rows: readonly Platform[]
  /** `all`: those that the QEMU at hand does not have are left out. */
  readonly asFarAsPossible: boolean
}

/** Those of every Pi: what handlers are for unless told otherwise. */
export const ofPis: WantedPlatforms = {
  rows: platforms.filter(({ cpu }) => cpu !== undefined),
  asFarAsPossible: false
}

/**
 * The platforms of a list, separated by commas or line breaks; `all` is all of them.
 * @returns what is wrong with the list, in words, if something is
 */
export function readPlatforms(text: string): WantedPlatforms | string {
  const names = text.split(/[\s,]+/).filter(name => name !== '')
  if (names.length === 1 && names[0] === 'all') return { rows: platforms, asFarAsPossible: true }
  const found = names.map(asked => ({ asked, row: platforms.find(({ name }) => name === (aliases[asked] ?? asked)) }))
  const wrong = found.filter(({ row }) => row === undefined).map(({ asked }) => `“${asked}”`)
  if (wrong.length > 0 || names.length === 0) {
    const valid = ['all', ...platforms.map(({ name }) => name)].join(', ')
    return `${names.length === 0 ? 'is empty' : `has ${wrong.join(', ')}, which is no platform`}; valid: ${valid}`
  }
  return { rows: platforms.filter(platform => found.some(({ row }) => row === platform)), asFarAsPossible: false }
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
  return [...new Set(wanted.map(({ emulator }) => emulator))].filter(({ native = [] }) => !native.includes(host))
}

/** CPU models that were asked for, by platform; under the empty name that of all others. */
export type CpuModels = Readonly<Record<string, string>>

/** The CPU that an emulator shows to programs: that of the most capable platform it is wanted for. */
export function cpuOf(emulator: Emulator, wanted: readonly Platform[], models: CpuModels): string | undefined {
  const row = wanted.find(platform => platform.emulator === emulator)
  return row && (models[row.name] ?? models[''] ?? row.cpu)
}
