/** Architecture of a guest's user space, by Debian's names. */
export type Architecture = 'arm64' | 'armhf' | 'armel'

export type Bus = 'sd' | 'usb' | 'virtio'

export interface Board {
  readonly name: BoardName
  readonly title: string
  /** QEMU's `-machine`. */
  readonly machine: string
  /** `-cpu`, where the machine leaves the choice. */
  readonly cpu?: string
  /** `-smp`: fixed by the SoC, or the default of a board that can have any. */
  readonly cpus: number
  /** `-m` in MiB: fixed by the SoC, or the default of a board that can have any. */
  readonly memoryMiB: number
  /** Whether `memory` and `cpus` may be chosen. */
  readonly sizable: boolean
  readonly architectures: readonly Architecture[]
  /** Kernel file names on a boot partition, best first. */
  readonly kernels: readonly string[]
  /** Initramfs names that belong to those kernels. */
  readonly initramfs: readonly string[]
  /** Device tree file names, Raspberry Pi's and mainline's; none where QEMU makes its own. */
  readonly deviceTrees: readonly string[]
  readonly disk: Bus
  /** How further volumes are attached. */
  readonly volumes: Bus
  readonly network: string
  /**
   * Kernel arguments for the console, the one for /dev/console last; Raspberry Pi's device trees number the UARTs
   * differently from mainline's. Only one number of a UART may be named: the driver takes the first, and gives up if
   * that is not it.
   */
  readonly consoles: Readonly<Record<'raspberrypi' | 'mainline', readonly string[]>>
  /** More kernel arguments that the board needs. */
  readonly kernelArguments: readonly string[]
  /** Makes a kernel that dies before its console is up say why (address from the SoC's memory map). */
  readonly earlycon: string
  /** UARTs that get a log of their own. */
  readonly uarts: number
  /** First QEMU release with this machine. */
  readonly sinceQemu: readonly [major: number, minor: number]
  /** Whether the kernel has to be one with virtio and a generic PCI host. */
  readonly needsGenericKernel: boolean
  /** What a reader of the log should know about how true to life it is. */
  readonly fidelity: string
}

export const boardNames = ['raspi3b', 'virt'] as const
export type BoardName = (typeof boardNames)[number]

/** One row per board; everything that differs between boards is in here. */
export const boards: Readonly<Record<BoardName, Board>> = {
  raspi3b: {
    name: 'raspi3b',
    title: 'Raspberry Pi 3 Model B (BCM2837, 4 x Cortex-A53, 1 GiB)',
    machine: 'raspi3b',
    cpus: 4,
    memoryMiB: 1024,
    sizable: false,
    architectures: ['arm64'],
    kernels: ['kernel8.img'],
    initramfs: ['initramfs8'],
    deviceTrees: ['bcm2710-rpi-3-b.dtb', 'bcm2710-rpi-3-b-plus.dtb', 'bcm2837-rpi-3-b.dtb', 'bcm2837-rpi-3-b-plus.dtb'],
    disk: 'sd',
    volumes: 'usb',
    network: 'usb-net',
    consoles: {
      // The PL011 belongs to Bluetooth there, the console to the mini UART (off unless counted), as the firmware has it.
      raspberrypi: ['8250.nr_uarts=1', 'console=ttyAMA1,115200', 'console=ttyS0,115200'],
      mainline: ['console=ttyAMA0,115200']
    },
    // Raspberry Pi's own USB driver uses features of the controller that QEMU lacks; other kernels ignore these.
    kernelArguments: ['dwc_otg.lpm_enable=0', 'dwc_otg.fiq_fsm_enable=0'],
    earlycon: 'pl011,mmio32,0x3f201000',
    uarts: 2,
    // Called raspi3 before.
    sinceQemu: [5, 2],
    needsGenericKernel: false,
    fidelity: "the image's own kernel and device tree on an emulated board; slower than the real one"
  },
  virt: {
    name: 'virt',
    title: "QEMU's generic Arm machine with virtio devices",
    machine: 'virt',
    // A Pi 4's core. QEMU's default (max) is several times slower on programs built with pointer authentication.
    cpu: 'cortex-a72',
    cpus: 2,
    memoryMiB: 1024,
    sizable: true,
    architectures: ['arm64'],
    kernels: ['kernel8.img'],
    initramfs: ['initramfs8'],
    deviceTrees: [],
    disk: 'virtio',
    volumes: 'virtio',
    network: 'virtio-net-pci,romfile=',
    consoles: { raspberrypi: ['console=ttyAMA0,115200'], mainline: ['console=ttyAMA0,115200'] },
    kernelArguments: [],
    earlycon: 'pl011,mmio32,0x09000000',
    uarts: 1,
    sinceQemu: [2, 6],
    needsGenericKernel: true,
    fidelity: 'not a Pi: no Raspberry Pi device tree, buses or peripherals; faster disk and network'
  }
}

/** The board for an image when none was asked for. */
export function defaultBoard(architecture: Architecture): BoardName | undefined {
  return boardNames.find(name => boards[name].architectures.includes(architecture))
}
