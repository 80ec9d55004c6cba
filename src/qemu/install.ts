import { boards, type Board } from '../boards'
import { findTool } from '../host/exec'
import { aptCandidate, ensureTools, tools } from '../host/tools'
import type { QemuChoice } from '../inputs'
import { BadInput, HostFailure, messageOf } from '../report/errors'
import type { Log } from '../report/log'
import { chooseQemu, type QemuDecision } from './choice'
import { providePrivateQemu, type PrivatePlace } from './private'
import { askTitle, probe, type QemuInstall } from './probe'
import { qemuProgram } from './process'
import { nearestBoard, unknownVersion, upstreamVersion } from './version'

/**
 * Finds, installs or fetches the QEMU for a board, and says in the log which it is, and why.
 * @param certain is called once it is known which it will be; it may take a while until it is there
 * @throws BadInput if what the user asked for cannot run the board
 * @throws HostFailure if it cannot be had
 */
export async function provideQemu(
  choice: QemuChoice,
  board: Board,
  place: PrivatePlace,
  certain: () => void = () => undefined
): Promise<QemuInstall> {
  const { log } = place
  const { host, ...decision } = await decide(choice, board, log, certain)
  certain()
  const install =
    decision.use === 'private'
      ? await providePrivateQemu(place)
      : choice.kind === 'path'
        ? await ownQemu(choice.path, board)
        : certainly(host)
  log.info(`QEMU ${describeInstall(install)}: ${decision.why}`)
  return install
}

/** `10.0.13, private (Debian 1:10.0.13+ds-0+deb13u1)` */
export function describeInstall({ version, origin, build, program }: QemuInstall): string {
  const from = { host: "the host's", private: 'private', path: program }[origin]
  return `${version}, ${from}${build === undefined ? '' : ` (${build})`}`
}

async function decide(
  choice: QemuChoice,
  board: Board,
  log: Log,
  certain: () => void
): Promise<QemuDecision & { readonly host?: QemuInstall | undefined }> {
  if (choice.kind === 'path' || choice.kind === 'private')
    return chooseQemu(choice, board, { installed: undefined, candidate: undefined })
  const host = await hostQemu()
  const candidate = host === undefined ? await aptCandidate(tools[qemuProgram].package, log) : undefined
  const there = { installed: host?.version, candidate: candidate && upstreamVersion(candidate) }
  const decision = chooseQemu(choice, board, there)
  if (decision.use !== 'host-package') return { ...decision, host }
  certain()
  await ensureTools([qemuProgram], log)
  // What came is not always what was announced.
  const came = await hostQemu()
  return { ...chooseQemu(choice, board, { installed: came?.version, candidate: undefined }), host: came }
}

/** The QEMU that the host has; undefined if it has none. */
async function hostQemu(): Promise<QemuInstall | undefined> {
  const program = await findTool(qemuProgram)
  if (program === undefined) return undefined
  const start = { program, arguments: [], env: {} }
  const title = (await askTitle(start)) ?? { version: unknownVersion, build: undefined }
  return { ...start, ...title, origin: 'host' }
}

function certainly(host: QemuInstall | undefined): QemuInstall {
  if (host === undefined || host.version === unknownVersion)
    throw new HostFailure({ symptom: `${host?.program ?? qemuProgram} does not tell its version` })
  return host
}

async function ownQemu(path: string, board: Board): Promise<QemuInstall> {
  const start = { program: path, arguments: [], env: {} }
  const { title, machines } = await probe(start).catch((error: unknown) => {
    throw new BadInput([`input \`qemu\` names ${path}, which cannot be run: ${messageOf(error)}`])
  })
  if (title === undefined) {
    throw new BadInput([
      `input \`qemu\` names ${path}, which is no QEMU system emulator; valid: auto, host, private, or the path of a ${qemuProgram}`
    ])
  }
  if (!machines.has(board.machine)) {
    const other = nearestBoard(board, title.version)
    const instead = other === undefined || !machines.has(boards[other].machine) ? '' : `, or \`board: ${other}\``
    throw new BadInput([
      `input \`qemu\` names ${path}, QEMU ${title.version}, which has no board \`${board.name}\` (in QEMU since ${board.sinceQemu.join('.')}); valid: \`qemu: auto\` or \`qemu: private\`${instead}`
    ])
  }
  return { ...start, ...title, origin: 'path' }
}
