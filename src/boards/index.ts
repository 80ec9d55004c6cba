import { boards } from './table'
import type { Architecture, Board, BoardName } from './types'

export { diskPlace, fasterPlaces, type DiskPlace } from './storage'
export { boards, screenConsole } from './table'
export { psciFixes } from './tree-fixes'
export { boardNames, architectures } from './types'
export type { Architecture, Board, BoardName, TreeFix, TreeNaming, Variant } from './types'

/** Names of the boards that run systems of an architecture, best first. */
export function boardsFor(architecture: Architecture): readonly BoardName[] {
  return Object.values(boards)
    .filter(board => board.architectures[architecture] !== undefined && !board.kernelFromUser)
    .map(({ name }) => name)
}

/**
 * The board for an image when none was asked for: the first that has a kernel for it.
 * @param available names of the boot files; without them, whatever the architecture's first board is
 */
export function defaultBoard(architecture: Architecture, available?: ReadonlySet<string>): BoardName | undefined {
  const able = boardsFor(architecture)
  return available === undefined
    ? able[0]
    : (able.find(name => kernelFor(boards[name], architecture, available)) ?? able[0])
}

/** Name of the boot file that is a board's kernel for an architecture, or undefined if the image has none. */
export function kernelFor(
  board: Board,
  architecture: Architecture,
  available: ReadonlySet<string>
): string | undefined {
  return board.architectures[architecture]?.kernels.find(name => available.has(name))
}
