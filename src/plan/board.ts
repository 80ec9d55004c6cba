import { boardNames, boards, boardsFor, defaultBoard, kernelFor, type Board } from '../boards'
import type { PreparedImage } from '../images'
import { architectureOf, type Inputs } from '../inputs'
import { BadInput } from '../report/errors'

/**
 * The board for what the inputs ask for and the image is.
 * @throws BadInput if the board cannot run the image; names those that can
 */
export function boardFor(inputs: Inputs, image: PreparedImage | undefined): Board {
  const { board: asked } = inputs
  if (image === undefined) return boards[asked ?? boardNames[0]]
  const available = new Set(image.bootFiles.names)
  const name = asked ?? defaultBoard(image.architecture, available)
  const able = boardsFor(image.architecture).filter(
    other => boards[other].needsGenericKernel || kernelFor(boards[other], image.architecture, available) !== undefined
  )
  const valid = able.join(', ') || 'none'
  if (name === undefined || boards[name].architectures[image.architecture] === undefined) {
    throw new BadInput([
      `${asked === undefined ? 'no board runs' : `board \`${asked}\` does not run`} this image's ${image.architecture} system; boards that can: ${valid}`
    ])
  }
  const board = boards[name]
  if (inputs.firmware !== undefined) return board
  if (
    inputs.kernel === undefined &&
    !board.needsGenericKernel &&
    kernelFor(board, image.architecture, available) === undefined
  ) {
    const names = board.architectures[image.architecture]?.kernels.join(', ') ?? ''
    throw new BadInput([
      `board \`${name}\` needs ${names}, which the image does not have; boards that can: ${valid}; or give \`kernel\``
    ])
  }
  return board
}

/** The board, as far as it is known before the image is here; {@link boardFor} has the last word. */
export function knownBoard({ board, image }: Pick<Inputs, 'board' | 'image'>): Board | undefined {
  const architecture = architectureOf(image)
  const name = board ?? (architecture && defaultBoard(architecture))
  return name && boards[name]
}

/** Whether the image's own kernel cannot drive the board, or there is none: then Debian's takes its place. */
export function wantsGenericKernel(inputs: Inputs, image: PreparedImage | undefined, board: Board): boolean {
  if (image === undefined || !board.needsGenericKernel) return false
  if (inputs.kernel !== undefined || inputs.firmware !== undefined) return false
  const name = kernelFor(board, image.architecture, new Set(image.bootFiles.names))
  return name === undefined || isRaspberryPiKernel(image.bootFiles.kernelReleases[name])
}

/** Raspberry Pi's kernels have no virtio drivers. */
function isRaspberryPiKernel(release: string | undefined): boolean {
  return /rpi|rpt|-v[678]/.test(release ?? '')
}
