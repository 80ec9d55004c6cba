import { basename, join } from 'node:path'
import { boards, defaultBoard, type Board } from './boards'
import type { ToolName } from './host/tools'
import type { PreparedImage } from './images'
import type { ImageRef, Inputs } from './inputs'
import type { Machine, Volume } from './qemu'
import { BadInput } from './report/errors'

/** Programs that a run of these inputs needs on the host. */
export function toolsFor({ image, saveImage }: Pick<Inputs, 'image' | 'saveImage'>): readonly ToolName[] {
  const always: readonly ToolName[] = [
    'qemu-system-aarch64',
    'qemu-img',
    'qemu-io',
    'sfdisk',
    'mcopy',
    'mke2fs',
    'debugfs',
    'e2fsck',
    'ssh-keygen'
  ]
  const build: readonly ToolName[] =
    image.kind === 'built-in' ? ['mmdebstrap', 'mkfs.vfat', 'cpio', 'depmod'] : unpackersFor(image)
  const save: readonly ToolName[] = saveImage?.format === 'xz' ? ['xz'] : saveImage?.format === 'zst' ? ['zstd'] : []
  return [...new Set([...always, ...build, ...save])]
}

const unpackers: readonly (readonly [ending: RegExp, tool: ToolName])[] = [
  [/\.xz$/i, 'xz'],
  [/\.gz$/i, 'gzip'],
  [/\.zst$/i, 'zstd'],
  [/\.zip$/i, 'bsdtar']
]

/** The name's ending decides which unpacker has to be there; without a telling ending, all of them. */
function unpackersFor(image: ImageRef): readonly ToolName[] {
  const path = image.kind === 'url' ? new URL(image.url).pathname : image.kind === 'file' ? image.path : image.name
  const known = unpackers.filter(([ending]) => ending.test(path)).map(([, tool]) => tool)
  if (known.length > 0 || /\.(img|raw|qcow2)$/i.test(path)) return known
  return unpackers.map(([, tool]) => tool)
}

/** What is decided before the image is known, in words, for the log. */
export function describePlan(inputs: Inputs): readonly string[] {
  const { image, sync } = inputs
  const name =
    image.kind === 'file'
      ? image.path
      : image.kind === 'url'
        ? image.url
        : `${image.name} (built here from Debian packages)`
  return [
    `image: ${name}`,
    `board: ${inputs.board === undefined ? "by the image's architecture" : boards[inputs.board].title}`,
    `provisioning: ${inputs.provision === 'auto' ? 'offline, on a copy' : 'none (provision: none)'}`,
    `workspace: ${sync === 'none' ? 'not exchanged (sync: none)' : `${inputs.workspace} (sync: ${sync})`}`,
    `script: ${inputs.run === undefined ? 'none, boot only' : `${inputs.run.trim().split('\n').length} line(s)`}`,
    `afterwards: ${inputs.keepRunning ? 'stays up for later steps' : inputs.saveImage === undefined ? 'switched off, changes dropped' : `disk saved to ${inputs.saveImage.path}`}`
  ]
}

export interface MachineRequest {
  readonly inputs: Inputs
  readonly image: PreparedImage
  readonly volumes: readonly Volume[]
  readonly logs: string
  /** ms since 1970. */
  readonly clock: number
}

/**
 * The machine for an image: board, kernel, device tree, kernel arguments.
 * @throws BadInput if they do not go together
 */
export function planMachine({ inputs, image, volumes, logs, clock }: MachineRequest): Machine {
  const board = boardFor(inputs, image)
  const own = (name: string | undefined): string | undefined =>
    name === undefined ? undefined : join(image.folder, 'boot', name)
  const available = new Set(image.bootFiles.names)
  const kernelName = board.kernels.find(name => available.has(name))
  const kernel = inputs.kernel ?? own(kernelName)
  if (kernel === undefined) {
    throw new BadInput([
      `board \`${board.name}\` needs one of ${board.kernels.join(', ')}, which the image does not have; give \`kernel\``
    ])
  }
  const release = kernelName === undefined ? undefined : image.bootFiles.kernelReleases[kernelName]
  if (board.needsGenericKernel && inputs.kernel === undefined && /rpi|rpt|-v[678]/.test(release ?? '')) {
    throw new BadInput([
      `board \`${board.name}\` cannot boot the image's kernel ${release ?? ''}: Raspberry Pi's kernels have no virtio drivers; use \`board: raspi3b\`, or give a generic \`kernel\` and \`initrd\``
    ])
  }
  const dtb = inputs.dtb ?? own(board.deviceTrees.find(name => available.has(name)))
  if (dtb === undefined && board.deviceTrees.length > 0) {
    throw new BadInput([
      `board \`${board.name}\` needs one of ${board.deviceTrees.join(', ')}, which the image does not have; give \`dtb\``
    ])
  }
  return {
    board,
    kernel,
    dtb,
    // An initramfs belongs to its kernel: a kernel from elsewhere does not get the image's.
    initrd:
      inputs.initrd ??
      (inputs.kernel === undefined ? own(board.initramfs.find(name => available.has(name))) : undefined),
    memoryMiB: inputs.memoryMiB ?? board.memoryMiB,
    cpus: inputs.cpus ?? board.cpus,
    kernelArguments: [
      ...[`root=PARTUUID=${image.layout.root.partuuid}`, 'rootfstype=ext4', 'rootwait', 'rw'],
      ...[
        `earlycon=${board.earlycon}`,
        ...board.consoles[isRaspberryPiTree(dtb) ? 'raspberrypi' : 'mainline'],
        'loglevel=7'
      ],
      // A Pi has no clock: without this its time starts in the past, and TLS fails.
      `systemd.clock_usec=${clock}000`,
      ...board.kernelArguments,
      ...image.kernelArguments,
      ...(inputs.append === undefined ? [] : [inputs.append])
    ],
    volumes,
    forwards: inputs.ports,
    extra: inputs.qemuArgs,
    logs
  }
}

/** Raspberry Pi names its trees after the chip family (bcm2710), mainline after the chip (bcm2837). */
function isRaspberryPiTree(dtb: string | undefined): boolean {
  return dtb !== undefined && /^bcm27\d\d-/.test(basename(dtb))
}

function boardFor({ board: asked }: Inputs, image: PreparedImage): Board {
  const name = asked ?? defaultBoard(image.architecture)
  const able = Object.values(boards).filter(board => board.architectures.includes(image.architecture))
  if (name === undefined || !boards[name].architectures.includes(image.architecture)) {
    const valid = able.map(board => board.name).join(', ') || 'none yet'
    throw new BadInput([
      `${asked === undefined ? 'no board' : `board \`${asked}\` does not`} run${asked === undefined ? 's' : ''} this image's ${image.architecture} system; boards that can: ${valid}`
    ])
  }
  return boards[name]
}
