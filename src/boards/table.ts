import { treeFixes } from './tree-fixes'
import type { Board, BoardName, Variant } from './types'

const kernel = (number: '' | '7' | '8', more: Partial<Variant> = {}): Variant => ({
  kernels: [`kernel${number}.img`],
  initramfs: [`initramfs${number}`],
  ...more
})

/** What the kernel says is on the screen as well; /dev/console is the last of the consoles, the serial one. */
export const screenConsole = 'console=tty1'

/** What every emulated Pi shares. */
const pi = {
  sizable: false,
  needsDeviceTree: true,
  kernelFromUser: false,
  treeFixes: { raspberrypi: [], mainline: [] },
  disk: 'sd',
  storage: 'usb-storage',
  network: 'usb-net',
  desk: ['usb-kbd'],
  consoles: {
    raspberrypi: [screenConsole, 'console=ttyAMA0,115200'],
    mainline: [screenConsole, 'console=ttyAMA0,115200']
  },
  // Raspberry Pi's own USB driver uses features of the controller that QEMU lacks; other kernels ignore these.
  kernelArguments: ['dwc_otg.lpm_enable=0', 'dwc_otg.fiq_fsm_enable=0'],
  uarts: 2,
  clock: 'host',
  sinceQemu: [5, 2],
  needsGenericKernel: false,
  // QEMU cannot save its USB network device; without it, the card slot and USB do not come back.
  migratable: false,
  spinningSecondaries: true,
  fidelity: "the image's own kernel and device tree on an emulated board; slower than the real one"
} as const

/**
 * Boards with Bluetooth give it the PL011, and the console the mini UART (off unless counted), as the firmware has it;
 * mainline's device trees number the UARTs the other way round.
 */
const bluetoothConsoles = {
  raspberrypi: ['8250.nr_uarts=1', screenConsole, 'console=ttyAMA1,115200', 'console=ttyS0,115200'],
  mainline: [screenConsole, 'console=ttyAMA0,115200']
} as const

const bcm2837 = { soc: 'bcm2837', core: 'cortex-a53' }

/** 32-bit systems on a 64-bit Pi run on its 64-bit kernel: QEMU's Pi 3 and 4 start no 32-bit ones. */
const cortexA53 = { arm64: kernel('8'), armhf: kernel('8') }
/** Raspberry Pi OS's armhf is built for ARMv6, and has a kernel for it; Debian's is not, and has none. */
const arm1176 = { armel: kernel(''), armhf: kernel('') }

/** One row per board; everything that differs between boards is in here. */
export const boards: Readonly<Record<BoardName, Board>> = {
  raspi3b: {
    ...pi,
    name: 'raspi3b',
    title: 'Raspberry Pi 3 Model B (BCM2837, 4 x Cortex-A53, 1 GiB)',
    soc: 'Cortex-A53',
    machine: 'raspi3b',
    cpus: 4,
    psci: bcm2837,
    memoryMiB: 1024,
    architectures: cortexA53,
    treeFixes: treeFixes.bcm2837,
    deviceTrees: ['bcm2710-rpi-3-b.dtb', 'bcm2710-rpi-3-b-plus.dtb', 'bcm2837-rpi-3-b.dtb', 'bcm2837-rpi-3-b-plus.dtb'],
    consoles: bluetoothConsoles,
    earlycon: 'pl011,mmio32,0x3f201000'
  },
  raspi2b: {
    ...pi,
    name: 'raspi2b',
    title: 'Raspberry Pi 2 Model B (BCM2836, 4 x Cortex-A7, 1 GiB)',
    soc: 'Cortex-A7',
    machine: 'raspi2b',
    cpus: 4,
    memoryMiB: 1024,
    architectures: { armhf: kernel('7') },
    deviceTrees: ['bcm2709-rpi-2-b.dtb', 'bcm2836-rpi-2-b.dtb'],
    treeFixes: treeFixes.bcm2837,
    // `clock: icount` helps where the host is so slow that its USB's 1 kHz interrupts outrun the emulation; elsewhere it
    // is no default: its single thread livelocks Debian's kernel in stop_machine.
    earlycon: 'pl011,mmio32,0x3f201000'
  },
  raspi0: {
    ...pi,
    name: 'raspi0',
    title: 'Raspberry Pi Zero (BCM2835, ARM1176, 512 MiB)',
    soc: 'ARM1176',
    machine: 'raspi0',
    cpus: 1,
    memoryMiB: 512,
    architectures: arm1176,
    deviceTrees: ['bcm2708-rpi-zero.dtb', 'bcm2835-rpi-zero.dtb'],
    treeFixes: treeFixes.bcm283x,
    earlycon: 'pl011,mmio32,0x20201000'
  },
  raspi1ap: {
    ...pi,
    name: 'raspi1ap',
    title: 'Raspberry Pi 1 Model A+ (BCM2835, ARM1176, 512 MiB)',
    soc: 'ARM1176',
    machine: 'raspi1ap',
    cpus: 1,
    memoryMiB: 512,
    architectures: arm1176,
    deviceTrees: ['bcm2708-rpi-b-plus.dtb', 'bcm2835-rpi-a-plus.dtb', 'bcm2835-rpi-b-plus.dtb'],
    treeFixes: treeFixes.bcm283x,
    earlycon: 'pl011,mmio32,0x20201000'
  },
  raspi3ap: {
    ...pi,
    name: 'raspi3ap',
    title: 'Raspberry Pi 3 Model A+ (BCM2837, 4 x Cortex-A53, 512 MiB)',
    soc: 'Cortex-A53',
    machine: 'raspi3ap',
    cpus: 4,
    psci: bcm2837,
    memoryMiB: 512,
    architectures: cortexA53,
    deviceTrees: ['bcm2710-rpi-3-a-plus.dtb', 'bcm2837-rpi-3-a-plus.dtb', 'bcm2710-rpi-3-b.dtb'],
    treeFixes: treeFixes.bcm283x,
    consoles: bluetoothConsoles,
    earlycon: 'pl011,mmio32,0x3f201000'
  },
  raspi4b: {
    ...pi,
    name: 'raspi4b',
    title: 'Raspberry Pi 4 Model B (BCM2711, 4 x Cortex-A72, 2 GiB)',
    soc: 'Cortex-A72',
    machine: 'raspi4b',
    cpus: 4,
    psci: { soc: 'bcm2838', core: 'cortex-a72' },
    memoryMiB: 2048,
    architectures: cortexA53,
    deviceTrees: ['bcm2711-rpi-4-b.dtb'],
    treeFixes: treeFixes.bcm2711,
    consoles: bluetoothConsoles,
    earlycon: 'pl011,mmio32,0xfe201000',
    sinceQemu: [9, 0],
    fidelity:
      "the image's own kernel on an emulated board without PCIe, Gigabit Ethernet and USB 3; the network is on its USB 2 port"
  },
  virt: {
    name: 'virt',
    title: "QEMU's generic Arm machine with virtio devices",
    soc: 'any CPU',
    machine: 'virt',
    cpus: 2,
    memoryMiB: 1024,
    sizable: true,
    architectures: {
      // A Pi 4's core. QEMU's default (max) is several times slower on programs built with pointer authentication.
      // A72s need no page tables of their own for the kernel; Linux has them if only its address is random. In TCG each
      // system call then throws the translation buffer away, twice: Debian 12 boots in 14.0 instead of 8.5 s, and a
      // read and a write of a byte take 46 us instead of 5.
      arm64: kernel('8', { cpu: 'cortex-a72', kernelArguments: ['kpti=off'] }),
      // Debian's 32-bit kernel reaches nothing above 4 GiB, where the PCI host would be otherwise.
      armhf: kernel('7', { cpu: 'cortex-a15', machineOptions: 'highmem=off' })
    },
    deviceTrees: [],
    needsDeviceTree: false,
    kernelFromUser: false,
    treeFixes: { raspberrypi: [], mainline: [] },
    disk: 'storage',
    storage: 'virtio-blk-pci',
    network: 'virtio-net-pci,romfile=',
    desk: ['virtio-gpu-pci', 'virtio-keyboard-pci', 'virtio-tablet-pci'],
    consoles: { raspberrypi: ['console=ttyAMA0,115200'], mainline: ['console=ttyAMA0,115200'] },
    kernelArguments: [],
    earlycon: 'pl011,mmio32,0x09000000',
    uarts: 1,
    clock: 'host',
    sinceQemu: [2, 6],
    needsGenericKernel: true,
    migratable: true,
    spinningSecondaries: false,
    fidelity: 'not a Pi: no Raspberry Pi device tree, buses or peripherals; faster disk and network'
  },
  versatilepb: {
    name: 'versatilepb',
    title: 'Arm Versatile/PB with the ARM1176 of a Pi 1 (256 MiB)',
    soc: 'ARM1176',
    machine: 'versatilepb',
    cpus: 1,
    memoryMiB: 256,
    sizable: false,
    architectures: { armel: kernel('', { cpu: 'arm1176' }), armhf: kernel('', { cpu: 'arm1176' }) },
    deviceTrees: [],
    needsDeviceTree: true,
    kernelFromUser: true,
    treeFixes: { raspberrypi: [], mainline: [] },
    disk: 'storage',
    // Its PCI host has no room for what a modern virtio device maps.
    storage: 'virtio-blk-pci,disable-modern=on,disable-legacy=off',
    network: 'smc91c111',
    // Display and keyboard are on the board.
    desk: [],
    consoles: { raspberrypi: ['console=ttyAMA0,115200'], mainline: ['console=ttyAMA0,115200'] },
    kernelArguments: [],
    earlycon: 'pl011,0x101f1000',
    uarts: 1,
    clock: 'host',
    sinceQemu: [2, 6],
    needsGenericKernel: false,
    migratable: false,
    spinningSecondaries: false,
    fidelity: "not a Pi: the classic stand-in for a Pi 1, with the user's kernel"
  }
}
