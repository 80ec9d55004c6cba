import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import {
  diskPlace,
  kernelFor,
  psciFixes,
  screenConsole,
  type Architecture,
  type Board,
  type TreeNaming
} from '../boards'
import { ownArguments } from '../first-boot/cmdline'
import { modulesArguments, modulesLabel, uefiFor, type GenericKernel, type PreparedImage } from '../images'
import type { Inputs } from '../inputs'
import { runFiles, type Machine, type SharedFolder, type TreeRequest, type Volume } from '../qemu'
import { BadInput } from '../report/errors'
import { cpusAtBoot } from './cpus'

export interface MachineRequest {
  readonly inputs: Inputs
  /** Undefined for a bare kernel. */
  readonly image: PreparedImage | undefined
  /** As what a bare kernel is run. */
  readonly architecture?: Architecture | undefined
  readonly board: Board
  readonly volumes: readonly Volume[]
  readonly sharedFolders?: readonly SharedFolder[] | undefined
  /** In place of the image's own kernel. */
  readonly genericKernel?: GenericKernel | undefined
  /** Whether the host's own CPU can run arm64 guests. */
  readonly kvm?: boolean | undefined
  /** CPUs of the host that this process may use. */
  readonly hostCpus?: number | undefined
  /** Version of the QEMU that will run it. */
  readonly qemu?: string | undefined
  /** Interface of the host for the guest's network; by default it is behind NAT. */
  readonly tap?: string | undefined
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
  readonly deviceTree: Omit<TreeRequest, 'to' | 'seed'> | undefined
}

/**
 * The machine for an image: kernel, device tree, kernel arguments.
 * @throws BadInput if they do not go together
 */
export function planMachine(request: MachineRequest): MachinePlan {
  const { inputs, image, architecture, board, volumes, genericKernel, hostCpus, qemu, tap, logs, clock, cmdline } =
    request
  const system = image?.architecture ?? architecture
  const variant = system && board.architectures[system]
  // A Pi is emulated whatever the host is; so is a CPU or a time that was asked for.
  const kvm =
    request.kvm === true &&
    board.needsGenericKernel &&
    system === 'arm64' &&
    inputs.cpu === undefined &&
    inputs.clock === undefined
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
  const atBoot = cpusAtBoot({ inputs, image, board, hostCpus, qemu, ownArguments: cmdline !== undefined })
  const machine: Machine = {
    board,
    accelerator: kvm ? 'kvm' : 'tcg',
    cpu: inputs.cpu ?? (kvm ? 'host' : variant?.cpu),
    machineOptions: kvm ? 'gic-version=host' : variant?.machineOptions,
    memoryMiB: inputs.memoryMiB ?? board.memoryMiB,
    cpus: inputs.cpus ?? board.cpus,
    cpusAtBoot: atBoot,
    clock: inputs.clock ?? board.clock,
    hasDisk: image !== undefined,
    diskPlace: diskPlace({
      board,
      qemu,
      asked: inputs.storage,
      bootsFromUsb: cmdline === undefined && image !== undefined && bootsFromUsb(inputs, image, board)
    }),
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
      ...[`earlycon=${board.earlycon}`, ...consolesOf(board, naming, inputs), 'loglevel=7'],
      // A Pi has no clock: without this its time starts in the past, and TLS fails.
      `systemd.clock_usec=${clock}000`,
      ...board.kernelArguments,
      ...(kvm ? [] : (variant?.kernelArguments ?? [])),
      ...(atBoot === undefined ? [] : [`maxcpus=${atBoot}`]),
      ...(genericKernel === undefined ? [] : modulesArguments(genericKernel)),
      ...(image?.kernelArguments ?? []),
      // gdb has the kernel's symbols where it was linked to be.
      ...(inputs.debugging.gdb === undefined ? [] : ['nokaslr']),
      ...(inputs.append === undefined ? [] : [inputs.append])
    ],
    volumes: [...volumes, ...(genericKernel === undefined ? [] : [modulesVolume(genericKernel)])],
    sharedFolders: request.sharedFolders ?? [],
    disks: inputs.disks,
    forwards: inputs.ports,
    network:
      tap === undefined
        ? { kind: 'user', listen: inputs.listen, sshPort: inputs.sshPort ?? 0 }
        : { kind: 'tap', device: tap },
    access: accessOf(inputs),
    extra: inputs.qemuArgs,
    logs
  }
  const fixes = [...board.treeFixes[naming], ...(atBoot === undefined ? [] : psciFixes)]
  const overlays = inputs.overlays.map(name => overlayFile(name, inputs.workspace, image))
  return {
    machine,
    // A user's own tree is taken as it is, but for the overlays asked for.
    deviceTree: tree === undefined ? undefined : { from: tree, fixes: inputs.dtb === undefined ? fixes : [], overlays }
  }
}

/** A board that gets a display for the occasion has the kernel's words on it, as the others have. */
function consolesOf(board: Board, naming: TreeNaming, { debugging }: Inputs): readonly string[] {
  const consoles = board.consoles[naming]
  return debugging.vnc === undefined || consoles.includes(screenConsole) ? consoles : [screenConsole, ...consoles]
}

/** Whoever looks into a failed run needs the console. */
function accessOf({ debugging }: Inputs): Machine['access'] {
  return debugging.onFailure === undefined ? debugging : { ...debugging, serial: 'socket' }
}

/** A kernel, an initramfs or arguments of the user's own may count on the card. */
function bootsFromUsb(inputs: Inputs, image: PreparedImage, board: Board): boolean {
  const kernel = kernelFor(board, image.architecture, new Set(image.bootFiles.names))
  const own = inputs.kernel !== undefined || inputs.initrd !== undefined || inputs.dtb !== undefined
  if (own || kernel === undefined || inputs.firstBoot === 'run') return false
  return (image.usbKernels ?? []).includes(kernel) && !/\broot=|mmcblk/.test(inputs.append ?? '')
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
