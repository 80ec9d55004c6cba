import { basename } from 'node:path'

/** What Debian calls a platform: its architecture, and the name in its library folders. */
export interface DebianNames {
  readonly architecture: string
  readonly triplet: string
}

/** By the dynamic loaders that programs name (glibc's), which differ where calling conventions do. */
const byLoader: Readonly<Record<string, DebianNames>> = {
  'ld-linux-armhf.so.3': { architecture: 'armhf', triplet: 'arm-linux-gnueabihf' },
  'ld-linux.so.3': { architecture: 'armel', triplet: 'arm-linux-gnueabi' },
  'ld-linux-aarch64.so.1': { architecture: 'arm64', triplet: 'aarch64-linux-gnu' },
  'ld-linux-riscv64-lp64d.so.1': { architecture: 'riscv64', triplet: 'riscv64-linux-gnu' },
  'ld64.so.2': { architecture: 'ppc64el', triplet: 'powerpc64le-linux-gnu' },
  'ld64.so.1': { architecture: 's390x', triplet: 's390x-linux-gnu' }
}

/** Debian's names for what a program with this dynamic loader is built for; undefined where Debian has no such. */
export function debianNames(loader: string): DebianNames | undefined {
  const name = basename(loader)
  return Object.hasOwn(byLoader, name) ? byLoader[name] : undefined
}

/** Libraries that are part of glibc. */
const glibc = /^lib(c|m|dl|rt|pthread|util|anl|resolv|nsl|BrokenLocale|thread_db)\.so\./

/**
 * The package that most likely has a library: Debian's policy (8.1) derives the name from the library's.
 * @returns undefined for a name without a version, which only development packages have
 */
export function packageOf(library: string): string | undefined {
  if (glibc.test(library)) return 'libc6'
  const [, name, version] = /^(.+)\.so\.(.+)$/.exec(library) ?? /^(lib.+)-([\d.]+)\.so$/.exec(library) ?? []
  if (name === undefined || version === undefined) return undefined
  return `${name}${/\d$/.test(name) ? '-' : ''}${version}`.toLowerCase().replaceAll('_', '-')
}
