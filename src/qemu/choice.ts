import type { Board } from '../boards'
import type { QemuChoice } from '../inputs'
import { BadInput } from '../report/errors'
import { hasBoard, nearestBoard, unknownVersion } from './version'

/** What the host has of QEMU. Versions are `x.y.z`. */
export interface HostQemu {
  /** Undefined if there is none, `unknown` if it does not say. */
  readonly installed: string | undefined
  /** What apt would install; undefined if there is no apt, or it knows none. */
  readonly candidate: string | undefined
}

export interface QemuDecision {
  readonly use: 'host' | 'host-package' | 'private' | 'path'
  /** For the log. */
  readonly why: string
}

/**
 * Which QEMU runs a board.
 * @throws BadInput if the user wants the host's, and that lacks the board
 */
export function chooseQemu(choice: QemuChoice, board: Board, { installed, candidate }: HostQemu): QemuDecision {
  if (choice.kind === 'path') return { use: 'path', why: '`qemu` names it' }
  if (choice.kind === 'private') return { use: 'private', why: '`qemu: private`' }
  const there = installed ?? candidate
  const use = installed === undefined ? 'host-package' : 'host'
  if (there !== undefined && hasBoard(there, board)) return { use, why: `the host's has board ${board.name}` }
  if (choice.kind === 'host') {
    // Without apt the installation says so, and what to do about it.
    if (there === undefined) return { use, why: '`qemu: host`' }
    throw new BadInput([lacking(board, there, installed === undefined ? 'its apt has' : 'it has')])
  }
  const lack =
    there === undefined
      ? 'the host has none, and no package of it'
      : `the host's ${there === unknownVersion ? 'does not tell its version' : `${there} has no board ${board.name}`}`
  return { use: 'private', why: lack }
}

function lacking(board: Board, version: string, has: string): string {
  const named = version === unknownVersion ? 'a QEMU that does not tell its version' : `QEMU ${version}`
  const other = nearestBoard(board, version)
  return [
    `input \`qemu\` is “host”, but board \`${board.name}\` needs QEMU ${board.sinceQemu.join('.')} or newer, and the host is behind: ${has} ${named}`,
    `valid: \`qemu: auto\` or \`qemu: private\`${other === undefined ? '' : `, or \`board: ${other}\``}`
  ].join('; ')
}
