import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import {
  boardNames,
  boards,
  boardsFor,
  defaultBoard,
  kernelFor,
  type Architecture,
  type Board,
  type TreeNaming
} from './boards'
import { ownArguments } from './first-boot/cmdline'
import type { ToolName } from './host/tools'
import { modulesArguments, modulesLabel, uefiFor, type GenericKernel, type PreparedImage } from './images'
import { architectureOf, type ImageRef, type Inputs } from './inputs'
import { runFiles, type Machine, type TreeRequest, type Volume } from './qemu'
import { BadInput } from './report/errors'
import { mib } from './report/log'

type ToolInputs = Pick<Inputs, 'image' | 'saveImage'> &
  Partial<Pick<Inputs, 'password' | 'diskSize' | 'firmware' | 'disks' | 'overlays'>>

/** Programs that a run of these inputs needs on the host, besides QEMU itself. */
export function toolsFor(inputs: ToolInputs): readonly ToolName[] {
  const { image, saveImage, password, diskSize, firmware, disks = [], overlays = [] } = inputs
  if (image.kind === 'none') {
    const bare: readonly (readonly [needed: boolean, tool: ToolName])[] = [
      [disks.length > 0, 'qemu-img'],
      [overlays.length > 0, 'fdtput']
    ]
    return bare.filter(([needed]) => needed).map(([, name]) => name)
  }
  const always: readonly ToolName[] = [
    'qemu-img',
    'qemu-io',
    'sfdisk',
    'mcopy',
    'mke2fs',
    'debugfs',
    'e2fsck',
    'ssh-keygen',
    'fdtput'
  ]
  const build: readonly ToolName[] =
    image.kind === 'mini' || image.kind === 'debian'
      ? ['mmdebstrap', 'mkfs.vfat', 'cpio', 'depmod']
      : unpackersFor(image)
  const save: readonly ToolName[] = saveImage?.format === 'xz' ? ['xz'] : saveImage?.format === 'zst' ? ['zstd'] : []
  const wishes: readonly ToolName[] = [
    ...(password === undefined ? [] : (['openssl'] as const)),
    ...(diskSize === undefined ? [] : (['resize2fs'] as const)),
    // An image whose architecture its name does not tell may turn out to need another.
    ...(firmware === undefined ? [] : [uefiFor(architectureOf(image) ?? 'arm64').tool])
  ]
  return [...new Set([...always, ...build, ...save, ...wishes])]
}

const unpackers: readonly (readonly [ending: RegExp, tool: ToolName])[] = [
  [/\.xz$/i, 'xz'],
  [/\.gz$/i, 'gzip'],
  [/\.zst$/i, 'zstd'],
  [/\.zip$/i, 'bsdtar']
]

/** The name's ending decides which unpacker has to be there; without a telling ending, all of them. */
function unpackersFor(image: ImageRef): readonly ToolName[] {
  const path = image.kind === 'url' ? new URL(image.url).pathname : image.kind === 'file' ? image.path : ''
  const known = unpackers.filter(([ending]) => ending.test(path)).map(([, tool]) => tool)
  if (known.length > 0 || /\.(img|raw|qcow2)$/i.test(path)) return known
  return unpackers.map(([, tool]) => tool)
}

/** What is decided before the image is known, in words, for the log. */
export function describePlan(inputs: Inputs): readonly string[] {
  const { image, sync } = inputs
  const names: Readonly<Record<ImageRef['kind'], string>> = {
    file: image.kind === 'file' ? image.path : '',
    url: image.kind === 'url' ? image.url : '',
    catalogue: image.kind === 'catalogue' ? `${image.name}:${image.tag}` : '',
    mini: `${image.kind === 'mini' ? image.name : ''} (built here from Debian packages)`,
    debian: `${image.kind === 'debian' ? image.name : ''} (built here from Debian packages)`,
    none: 'none: a bare kernel'
  }
  return [
    `image: ${names[image.kind]}`,
    `board: ${inputs.board === undefined ? "by the image's architecture" : boards[inputs.board].title}`,
    `provisioning: ${inputs.provision === 'auto' ? 'offline, on a copy' : 'none (provision: none)'}`,
    ...wishesOf(inputs),
    `workspace: ${sync === 'none' ? 'not exchanged (sync: none)' : `${inputs.workspace} (sync: ${sync})`}`,
    `script: ${inputs.run === undefined ? 'none, boot only' : `${inputs.run.trim().split('\n').length} line(s)`}`,
    `afterwards: ${inputs.keepRunning ? 'stays up for later steps' : inputs.saveImage === undefined ? 'switched off, changes dropped' : `disk saved to ${inputs.saveImage.path}`}`
  ]
}

/** What is asked of the image beyond the usual. */
function wishesOf({ password, hostname, diskSize, files, firstBoot }: Inputs): readonly string[] {
  return [
    ...(firstBoot === 'run' ? ["first boot: the image's own, reboots included"] : []),
    ...(hostname === undefined ? [] : [`host name: ${hostname}`]),
    ...(password === undefined ? [] : ['password: as given, for this run only']),
    ...(diskSize === undefined ? [] : [`disk: ${mib(diskSize)}`]),
    ...(files.length === 0 ? [] : [`files: ${files.length}, on a copy of this run`])
  ]
}

export interface MachineRequest {
  readonly inputs: Inputs
  /** Undefined for a bare kernel. */
  readonly image: PreparedImage | undefined
  /** As what a bare kernel is run. */
  readonly architecture?: Architecture | undefined
  readonly board: Board
  readonly volumes: readonly Volume[]
  /** In place of the image's own kernel. */
  readonly genericKernel?: GenericKernel | undefined
  readonly logs: string
  /** ms since 1970. */
  readonly clock: number
  /** The image's cmdline.txt, where its own first boot is to happen. */
  readonly cmdline?: string | undefined
}

/** A machine, and what its device tree is made of. */
export interface MachinePlan {
  readonly machine: Machine
  /** Undefined where QEMU makes the tree. */
  readonly deviceTree: Omit<TreeRequest, 'to'> | undefined
}

/**
 * The machine for an image: kernel, device tree, kernel arguments.
 * @throws BadInput if they do not go together
 */
export function planMachine(request: MachineRequest): MachinePlan {
  const { inputs, image, architecture, board, volumes, genericKernel, logs, clock, cmdline } = request
  const system = image?.architecture ?? architecture
  const variant = system && board.architectures[system]
  const own = (name: string | undefined): string | undefined =>
    name === undefined || image === undefined ? undefined : join(image.folder, 'boot', name)
  const available = new Set(image?.bootFiles.names)
  const kernel = inputs.kernel ?? genericKernel?.kernel ?? own(image && kernelFor(board, image.architecture, available))
  const tree = inputs.dtb ?? own(board.deviceTrees.find(name => available.has(name)))
  // A bare kernel need not be Linux, and then may do without.
  if (tree === undefined && board.needsDeviceTree && image !== undefined) {
    const names = board.deviceTrees.length > 0 ? ` (the image has none of ${board.deviceTrees.join(', ')})` : ''
    throw new BadInput([`board \`${board.name}\` needs a device tree${names}; give \`dtb\``])
  }
  const naming: TreeNaming = isRaspberryPiTree(tree) ? 'raspberrypi' : 'mainline'
  const root =
    cmdline !== undefined
      ? ownArguments(cmdline)
      : image === undefined
        ? []
        : [`root=PARTUUID=${image.layout.root.partuuid}`, 'rootfstype=ext4', 'rootwait', 'rw']
  const machine: Machine = {
    board,
    cpu: inputs.cpu ?? variant?.cpu,
    machineOptions: variant?.machineOptions,
    memoryMiB: inputs.memoryMiB ?? board.memoryMiB,
    cpus: inputs.cpus ?? board.cpus,
    clock: inputs.clock ?? board.clock,
    hasDisk: image !== undefined,
    firmware: inputs.firmware && image && uefiFor(image.architecture),
    kernel,
    dtb: tree === undefined ? undefined : runFiles.deviceTree,
    // An initramfs belongs to its kernel: a kernel from elsewhere does not get the image's.
    initrd:
      inputs.initrd ??
      genericKernel?.initramfs ??
      (inputs.kernel === undefined ? own(variant?.initramfs.find(name => available.has(name))) : undefined),
    kernelArguments: [
      ...root,
      ...[`earlycon=${board.earlycon}`, ...board.consoles[naming], 'loglevel=7'],
      // A Pi has no clock: without this its time starts in the past, and TLS fails.
      `systemd.clock_usec=${clock}000`,
      ...board.kernelArguments,
      ...(genericKernel === undefined ? [] : modulesArguments(genericKernel)),
      ...(image?.kernelArguments ?? []),
      ...(inputs.append === undefined ? [] : [inputs.append])
    ],
    volumes: [...volumes, ...(genericKernel === undefined ? [] : [modulesVolume(genericKernel)])],
    disks: inputs.disks,
    forwards: inputs.ports,
    extra: inputs.qemuArgs,
    logs
  }
  const overlays = inputs.overlays.map(name => overlayFile(name, inputs.workspace, image))
  return {
    machine,
    // A user's own tree is taken as it is, but for the overlays asked for.
    deviceTree:
      tree === undefined
        ? undefined
        : { from: tree, fixes: inputs.dtb === undefined ? board.treeFixes[naming] : [], overlays }
  }
}

function modulesVolume({ modules }: GenericKernel): Volume {
  return { name: modulesLabel, file: modules, readOnly: true }
}

/** An overlay is a file where its name says so, else one of the image's. */
function overlayFile(name: string, workspace: string, image: PreparedImage | undefined): string {
  if (name.includes('/') || name.endsWith('.dtbo')) {
    const path = resolve(workspace, name)
    if (!existsSync(path)) throw new BadInput([`input \`overlays\` names ${path}, which does not exist`])
    return path
  }
  const known = image?.bootFiles.overlays ?? []
  if (image !== undefined && known.includes(name)) return join(image.folder, 'boot/overlays', `${name}.dtbo`)
  throw new BadInput([
    `input \`overlays\` names “${name}”, which the image does not have; ${known.length === 0 ? 'it has no overlays; give a file' : `valid: ${known.join(', ')}`}`
  ])
}

/** Raspberry Pi names its trees after the chip family (bcm2710), mainline after the chip (bcm2837). */
function isRaspberryPiTree(dtb: string | undefined): boolean {
  return dtb !== undefined && /^bcm27\d\d-/.test(basename(dtb)) && !isMainlineBcm2711(dtb)
}

/** Both call the Pi 4's tree alike; mainline's knows no overrides. */
function isMainlineBcm2711(dtb: string): boolean {
  return /^bcm2711-/.test(basename(dtb)) && existsSync(dtb) && !readFileSync(dtb).includes('__overrides__')
}

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
