import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { needs } from './needs'
import { run } from './run'

/** Debian's cross compilers; each brings a folder that serves as a sysroot. */
const compilers = {
  armel: {
    packages: ['gcc-arm-linux-gnueabi', 'libc6-dev-armel-cross'],
    triplet: 'arm-linux-gnueabi',
    // Debian's armel is ARMv5TE; this is what a Pi Zero has.
    flags: ['-march=armv6', '-marm']
  },
  armhf: {
    packages: ['gcc-arm-linux-gnueabihf', 'libc6-dev-armhf-cross'],
    triplet: 'arm-linux-gnueabihf',
    flags: []
  },
  arm64: { packages: ['gcc-aarch64-linux-gnu', 'libc6-dev-arm64-cross'], triplet: 'aarch64-linux-gnu', flags: [] }
} as const

export type CrossTarget = keyof typeof compilers

/** Installs the compilers. */
export async function needsCompilers(): Promise<void> {
  await needs(Object.values(compilers).flatMap(({ packages }) => [...packages]))
}

/** Folder with the target's dynamic loader and C library. */
export const sysrootOf = (target: CrossTarget): string => `/usr/${compilers[target].triplet}`

/** Builds a C program or, with `-shared`, a library in a folder; returns its path. */
export async function crossBuild(
  folder: string,
  target: CrossTarget,
  name: string,
  source: string,
  flags: readonly string[] = []
): Promise<string> {
  const out = join(folder, name)
  await mkdir(dirname(out), { recursive: true })
  await writeFile(`${out}.c`, source)
  const { triplet, flags: own } = compilers[target]
  await run(`${triplet}-gcc`, ['-O1', ...own, '-o', out, `${out}.c`, ...flags])
  return out
}
