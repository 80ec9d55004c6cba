import type { Architecture } from '../boards'
import type { PreparedImage } from '../images'
import { BadInput } from '../report/errors'
import { platformOfImages, type Provided, type Rights, type Rootfs, type WantedPlatforms } from '../usermode'

/** How programs of an image are run on this host. */
export interface Emulation {
  /** As whom this host lets us enter. */
  readonly rights: () => Promise<Rights>
  /** Those that this run needs, each with a program that works. */
  readonly provided: () => Promise<readonly Provided[]>
  /** Registers them on the host itself, where a namespace cannot have its own; undefined until that was needed. */
  readonly onHost: () => Promise<unknown>
  /** Whether a namespace of its own has its own handlers; not once it was refused. */
  isPrivate: boolean
}

/**
 * The platforms whose programs a run in an image needs. An arm64 system runs 32-bit programs as well.
 * @throws BadInput if the one asked for is not the image's
 */
export function platformsFor(architecture: Architecture, asked: WantedPlatforms | undefined): WantedPlatforms {
  const own = platformOfImages[architecture]
  const rows = asked?.rows.filter(({ emulator }) => emulator === own.emulator) ?? [own]
  if (rows.length === 0) {
    const names = asked?.rows.map(({ name }) => name).join(', ') ?? ''
    throw new BadInput([
      `input \`platforms\` is “${names}”, but the image has programs of ${architecture}; valid: ${own.name}`
    ])
  }
  const more =
    architecture === 'arm64' ? (asked?.rows.filter(row => !rows.includes(row)) ?? [platformOfImages.armhf]) : []
  return { rows: [...rows, ...more], asFarAsPossible: false }
}

/** The root file system of an image, or of a copy of its disk that is written. */
export function ofImage({ disk, layout, bootMount }: PreparedImage, copy?: string): Rootfs {
  return {
    disk: copy ?? disk,
    root: layout.root,
    boot: bootMount === undefined ? undefined : { ...layout.boot, mount: bootMount },
    isWritten: copy !== undefined
  }
}

export const root = { name: 'root', uid: 0, gid: 0, home: '/root' } as const

/** What user mode is not, for those who read its result. */
export const caveats = [
  "the kernel is the host's: modules, sysctl and /proc tell of that",
  'no hardware of a Pi, and no services: systemd does not run',
  'less isolated than a virtual machine: run only what you would run on the host'
] as const
