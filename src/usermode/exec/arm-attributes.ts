import type { Elf } from './elf-reader'

/** What a 32-bit Arm file says it was built for: “Addenda to, and Errata in, the ABI for the Arm Architecture”. */
export interface ArmAttributes {
  /** Tag_CPU_arch. */
  readonly architecture?: number
  /** Tag_CPU_arch_profile: a letter. */
  readonly profile?: string
  /** Tag_Advanced_SIMD_arch is not 0. */
  readonly neon: boolean
}

interface ArchitectureVersion {
  readonly name: string
  /** Later ones have a higher number, and what is before. Arm's own numbers are not in that order. */
  readonly age: number
}

/** By the numbers of Tag_CPU_arch. */
const versions: readonly ArchitectureVersion[] = [
  { name: 'an architecture before ARMv4', age: 3 },
  { name: 'ARMv4', age: 4 },
  { name: 'ARMv4T', age: 4.1 },
  { name: 'ARMv5T', age: 5 },
  { name: 'ARMv5TE', age: 5.1 },
  { name: 'ARMv5TEJ', age: 5.2 },
  { name: 'ARMv6', age: 6 },
  { name: 'ARMv6KZ', age: 6.2 },
  { name: 'ARMv6T2', age: 6.5 },
  { name: 'ARMv6K', age: 6.1 },
  { name: 'ARMv7', age: 7 },
  { name: 'ARMv6-M', age: 6 },
  { name: 'ARMv6S-M', age: 6 },
  { name: 'ARMv7E-M', age: 7 },
  { name: 'ARMv8', age: 8 },
  { name: 'ARMv8-R', age: 8 },
  { name: 'ARMv8-M.baseline', age: 8 },
  { name: 'ARMv8-M.mainline', age: 8 },
  { name: 'ARMv8.1-A', age: 8.1 },
  { name: 'ARMv8.2-A', age: 8.2 },
  { name: 'ARMv8.3-A', age: 8.3 },
  { name: 'ARMv8.1-M.mainline', age: 8.1 },
  { name: 'ARMv9-A', age: 9 }
]

/** Number of ARMv7 and of ARMv8: these two are followed by a profile. */
const withProfile: readonly number[] = [10, 14]

/** Name and age of what a file was built for; undefined if it does not say. */
export function builtFor({ architecture, profile = '' }: ArmAttributes): ArchitectureVersion | undefined {
  const version = architecture === undefined ? undefined : versions[architecture]
  if (version === undefined || !withProfile.includes(architecture ?? -1) || profile === '') return version
  return { ...version, name: `${version.name}-${profile}` }
}

/** Numbers of the tags that are read. */
const tags = { file: 1, architecture: 6, profile: 7, neon: 12 } as const
/** Tags whose value is text, and one that is a number with a text. Else odd ones above 32 are texts. */
const texts: readonly number[] = [4, 5]
const compatibility = 32

/** The attributes of the whole file; undefined if it has none. */
export function armAttributes(elf: Elf): ArmAttributes | undefined {
  const section = elf.sections().find(({ name }) => name === '.ARM.attributes')
  return section && readAttributes(elf.bytes(section.offset, section.size), elf.number)
}

/** Reads the bytes of a section `.ARM.attributes`. */
export function readAttributes(bytes: Buffer, number: Elf['number']): ArmAttributes | undefined {
  if (bytes[0] !== 0x41) return undefined
  // A letter for the format; then, each with its length in front: parts by vendor, in them parts by what they are about.
  for (let at = 1; at + 4 < bytes.length;) {
    const part = bytes.subarray(at, at + Math.max(4, number(bytes, at, 4)))
    const vendorEnd = part.indexOf(0, 4)
    at += part.length
    if (part.toString('latin1', 4, vendorEnd) !== 'aeabi') continue
    for (let inner = vendorEnd + 1; inner + 5 <= part.length;) {
      const size = number(part, inner + 1, 4)
      if (part[inner] === tags.file) return fromTags(part.subarray(inner + 5, inner + size))
      inner += Math.max(5, size)
    }
  }
  return undefined
}

function fromTags(bytes: Buffer): ArmAttributes {
  const values = new Map<number, number>()
  let at = 0
  // LEB128: seven bits a byte, the lowest first.
  const next = (): number => {
    let value = 0
    for (let shift = 0; at < bytes.length; shift += 7) {
      const byte = bytes[at++] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) break
    }
    return value
  }
  const skipText = (): void => {
    const end = bytes.indexOf(0, at)
    at = end < 0 ? bytes.length : end + 1
  }
  while (at < bytes.length) {
    const tag = next()
    const isText = texts.includes(tag) || (tag > compatibility && tag % 2 === 1)
    if (isText) skipText()
    else values.set(tag, next())
    if (tag === compatibility) skipText()
  }
  const architecture = values.get(tags.architecture)
  const profile = values.get(tags.profile) ?? 0
  return {
    ...(architecture !== undefined && { architecture }),
    ...(profile !== 0 && { profile: String.fromCharCode(profile) }),
    neon: (values.get(tags.neon) ?? 0) > 0
  }
}
