/** Architectures of a guest's user space, by Debian's names. */
export const architectures = ['arm64', 'armhf', 'armel'] as const
export type Architecture = (typeof architectures)[number]

/** Boards that QEMU emulates, the one to take by default first. */
export const boardNames = [
  'raspi3b',
  'raspi2b',
  'raspi0',
  'raspi1ap',
  'raspi3ap',
  'raspi4b',
  'virt',
  'versatilepb'
] as const
export type BoardName = (typeof boardNames)[number]

/** Raspberry Pi names its device trees after the chip family (bcm2710), mainline after the chip (bcm2837). */
export type TreeNaming = 'raspberrypi' | 'mainline'

/** How a board runs systems of one architecture. */
export interface Variant {
  /** Kernel file names on a boot partition, best first. */
  readonly kernels: readonly string[]
  /** Initramfs names that belong to those kernels. */
  readonly initramfs: readonly string[]
  /** `-cpu`, where the machine leaves the choice. */
  readonly cpu?: string
  /** What follows the machine's name in `-machine`. */
  readonly machineOptions?: string
  /** More kernel arguments where the CPU is emulated. */
  readonly kernelArguments?: readonly string[]
}

/** One change to a device tree, without which a kernel meets hardware that QEMU lacks. */
export interface TreeFix {
  /** Full path of the node, or a pattern for the names of nodes in {@link under}. */
  readonly node: string | RegExp
  /** By default `/soc`. */
  readonly under?: string
  /** Whether the node is made where the tree lacks it; otherwise it is passed over. Not for patterns. */
  readonly make?: true
  /** Properties to set: text, 32-bit cells, or nothing for a flag. */
  readonly set?: Readonly<Record<string, string | readonly number[] | true>>
  /** Properties to remove. */
  readonly unset?: readonly string[]
  /** Whether what is under the node goes. */
  readonly childless?: true
  readonly why: string
}

export interface Board {
  readonly name: BoardName
  readonly title: string
  /** What its CPU is, for messages. */
  readonly soc: string
  /** QEMU's `-machine`. */
  readonly machine: string
  /** `-smp`: fixed by the SoC, or the default of a board that can have any. */
  readonly cpus: number
  /** `-m` in MiB: fixed by the SoC, or the default of a board that can have any. */
  readonly memoryMiB: number
  /** Whether `cpu`, `memory` and `cpus` may be chosen. */
  readonly sizable: boolean
  /** Systems it runs, and how. */
  readonly architectures: Readonly<Partial<Record<Architecture, Variant>>>
  /** Device tree file names, Raspberry Pi's and mainline's. */
  readonly deviceTrees: readonly string[]
  /** False where QEMU makes its own. */
  readonly needsDeviceTree: boolean
  /** Whether no image brings a kernel for it. */
  readonly kernelFromUser: boolean
  readonly treeFixes: Readonly<Record<TreeNaming, readonly TreeFix[]>>
  /** Where the image is: in the card slot, or on a device like every other volume. */
  readonly disk: 'sd' | 'storage'
  /** QEMU's device for a volume. */
  readonly storage: string
  /** QEMU's devices for who looks at the screen: a keyboard, and a display where the board has none. */
  readonly desk: readonly string[]
  /** QEMU's network device. */
  readonly network: string
  /**
   * Kernel arguments for the console, the one for /dev/console last. Only one number of a UART may be named: the
   * driver takes the first, and gives up if that is not it.
   */
  readonly consoles: Readonly<Record<TreeNaming, readonly string[]>>
  /** More kernel arguments that the board needs. */
  readonly kernelArguments: readonly string[]
  /** Makes a kernel that dies before its console is up say why (address from the SoC's memory map). */
  readonly earlycon: string
  /** UARTs that get a log of their own. */
  readonly uarts: number
  /** What the guest's time follows unless told otherwise. */
  readonly clock: 'host' | 'icount'
  /** First QEMU release with this machine. */
  readonly sinceQemu: readonly [major: number, minor: number]
  /** Whether the kernel has to be one with virtio and a generic PCI host. */
  readonly needsGenericKernel: boolean
  /** Whether its other CPUs spin until a kernel starts them. */
  readonly spinningSecondaries: boolean
  /** What its SoC and its cores are called in QEMU, where a 64-bit kernel can be made to start the other cores by PSCI. */
  readonly psci?: { readonly soc: string; readonly core: string }
  /** Whether QEMU can save its memory and devices, and continue from there. */
  readonly migratable: boolean
  /** What a reader of the log should know about how true to life it is. */
  readonly fidelity: string
}
