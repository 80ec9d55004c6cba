import { boards, type Board, type BoardName } from '../boards'

/** Of a QEMU that does not say. It is taken to have no board. */
export const unknownVersion = 'unknown'

/** What a QEMU says of itself. */
export interface QemuTitle {
  /** `x.y.z`. */
  readonly version: string
  /** The distribution's name for the build, such as `Debian 1:10.0.13+ds-0+deb13u1`. */
  readonly build: string | undefined
}

/** Reads what `qemu-system-… --version` prints; undefined if that is not what a system emulator says. */
export function readTitle(text: string): QemuTitle | undefined {
  const [, version, build] = /^QEMU emulator version (\d+\.\d+\.\d+)\S*(?: \((.+)\))?\s*$/m.exec(text) ?? []
  return version === undefined ? undefined : { version, build }
}

/**
 * QEMU's own version in that of a Debian or Ubuntu package, `epoch:upstream-revision` (see deb-version(7)):
 * `1:8.2.2+ds-0ubuntu1` is 8.2.2.
 */
export function upstreamVersion(packageVersion: string): string | undefined {
  const [, major, minor, patch = '0'] = /^(?:\d+:)?(\d+)\.(\d+)(?:\.(\d+))?/.exec(packageVersion) ?? []
  return major === undefined || minor === undefined ? undefined : `${major}.${minor}.${patch}`
}

/** Whether QEMU of a version has a board. */
export function hasBoard(version: string, { sinceQemu }: Pick<Board, 'sinceQemu'>): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major > sinceQemu[0] || (major === sinceQemu[0] && minor >= sinceQemu[1])
}

/** The board to take instead, where QEMU of a version lacks one: the first that runs all that the other does. */
export function nearestBoard(board: Board, version: string): BoardName | undefined {
  const wanted = Object.keys(board.architectures) as (keyof Board['architectures'])[]
  return Object.values(boards).find(
    other =>
      other.name !== board.name &&
      other.kernelFromUser === board.kernelFromUser &&
      hasBoard(version, other) &&
      wanted.every(architecture => other.architectures[architecture] !== undefined)
  )?.name
}
