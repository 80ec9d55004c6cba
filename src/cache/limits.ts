/** How long (ms) the shared cache may take. It is there to save time: past this it does not. */
export interface CacheLimits {
  /** For saying whether it has something. */
  readonly lookup: number
  /** For bringing it. */
  readonly restore: number
  /** For taking so many bytes. */
  readonly save: (bytes: number) => number
}

/** s; an answer takes well under one. */
const usualPatience = 10

/** Bytes per ms that an upload has at least, or is given up: 4 MiB/s. */
const slowest = 4 * 1024 * 1.024

/** `PI_QEMU_CACHE_PATIENCE` is the seconds for a look-up; the other limits follow from it. */
export function cacheLimits(env: Readonly<NodeJS.ProcessEnv>): CacheLimits {
  const asked = Number(env['PI_QEMU_CACHE_PATIENCE'])
  const lookup = (asked > 0 ? asked : usualPatience) * 1000
  return { lookup, restore: 12 * lookup, save: bytes => 12 * lookup + bytes / slowest }
}
