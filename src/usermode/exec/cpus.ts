/** CPUs by QEMU's names: what they run at most, and how a compiler is told to build for them. */
export interface CpuFacts {
  /** Article and name, for sentences. */
  readonly name: string
  readonly architecture: string
  /** Comparable with the age of what a file was built for. */
  readonly age: number
  /** Options of gcc and clang. */
  readonly flags: string
}

const rows: Readonly<Record<string, Omit<CpuFacts, 'name'>>> = {
  arm926: { architecture: 'ARMv5TEJ', age: 5.2, flags: '-march=armv5te -mfloat-abi=soft' },
  arm1136: { architecture: 'ARMv6K', age: 6.1, flags: '-march=armv6k -marm -mfpu=vfp' },
  arm1176: { architecture: 'ARMv6KZ', age: 6.2, flags: '-march=armv6 -marm -mfpu=vfp' },
  'cortex-a7': { architecture: 'ARMv7-A', age: 7, flags: '-mcpu=cortex-a7 -mfpu=neon-vfpv4' },
  'cortex-a8': { architecture: 'ARMv7-A', age: 7, flags: '-mcpu=cortex-a8 -mfpu=neon' },
  'cortex-a9': { architecture: 'ARMv7-A', age: 7, flags: '-mcpu=cortex-a9 -mfpu=neon' },
  'cortex-a15': { architecture: 'ARMv7-A', age: 7, flags: '-mcpu=cortex-a15 -mfpu=neon-vfpv4' },
  'cortex-a53': { architecture: 'ARMv8-A', age: 8, flags: '-mcpu=cortex-a53' },
  'cortex-a72': { architecture: 'ARMv8-A', age: 8, flags: '-mcpu=cortex-a72' },
  'cortex-a76': { architecture: 'ARMv8.2-A', age: 8.2, flags: '-mcpu=cortex-a76' }
}

/** What is known of a CPU; undefined for others, `max` among them. What follows a comma are QEMU's switches. */
export function cpuFacts(cpu: string): CpuFacts | undefined {
  const name = cpu.replace(/,.*/, '')
  const row = Object.hasOwn(rows, name) ? rows[name] : undefined
  return row && { name: withArticle(name), ...row }
}

/** “an arm1176”, “a cortex-a7”. */
export function withArticle(cpu: string): string {
  return `${/^[aeiou]/i.test(cpu) ? 'an' : 'a'} ${cpu}`
}
