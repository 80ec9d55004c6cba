import type { TreeFix, TreeNaming } from './types'

const off = { status: 'disabled' } as const

/**
 * Display blocks that QEMU does not have, and whose drivers wait for it or fault; before that, they take the screen away
 * from the framebuffer.
 */
const display: TreeFix = {
  node: /^(hdmi|hvs|pixelvalve|dsi|vec|txp|v3d)@|^gpu$/,
  set: off,
  why: 'no display hardware'
}

/** Its driver would take what comes in on the console's UART, and there would be no terminal on it. */
const bluetooth: TreeFix = {
  node: '/soc/serial@7e201000/bluetooth',
  set: off,
  why: 'no Bluetooth; the UART is the console'
}

/**
 * The part of memory that QEMU shows as the screen unless a driver wants it otherwise: 1 MiB into the video memory, which
 * is the last 64 MiB of the (first GiB of) memory, 640 by 480 pixels of 16 bits (initial_config in QEMU's
 * hw/display/bcm2835_fb.c). Raspberry Pi's kernels ask the firmware for one; others take it from their tree, where U-Boot
 * would put it on a real Pi (dt-schema's simple-framebuffer.yaml).
 * @param reg its address and size
 */
const framebuffer = (...reg: readonly number[]): TreeFix => ({
  node: '/framebuffer',
  make: true,
  set: {
    compatible: 'simple-framebuffer',
    reg,
    width: [640],
    height: [480],
    stride: [1280],
    format: 'r5g6b5'
  },
  why: 'a screen for the kernel'
})
const screenSize = 640 * 480 * 2
const screens = {
  of512MiB: framebuffer(0x1c100000, screenSize),
  ofGiB: framebuffer(0x3c100000, screenSize),
  // Addresses have two cells in this tree.
  bcm2711: framebuffer(0, 0x3c100000, screenSize)
} as const

/**
 * On the boards that QEMU added later, an access to a register that it lacks is an abort. The kernel's first is to the
 * power domains of this node; without it, the kernel cannot restart the board, either.
 */
const powerDomains: TreeFix = {
  node: '/soc/watchdog@7e100000',
  set: off,
  why: 'its power domains panic the kernel'
}

/**
 * raspi4b has RAM there, but tells the kernel of the first GiB only: it asks the size without the part above, and
 * throws away the tree's own nodes called `memory`. Kernels go by `device_type`, whatever the name.
 */
const secondGiB: TreeFix = {
  node: '/ram@40000000',
  make: true,
  set: { device_type: 'memory', reg: [0, 0x40000000, 0x40000000] },
  why: 'QEMU names the first GiB only'
}

const sleep = 'CPUs that are not started sleep, and can be started later'

/** Have a 64-bit kernel start the other CPUs by asking the firmware, for which QEMU answers (dt-schema's arm/psci.yaml). */
export const psciFixes: readonly TreeFix[] = [
  { node: /^cpu@/, under: '/cpus', set: { 'enable-method': 'psci' }, why: sleep },
  { node: '/psci', make: true, set: { compatible: 'arm,psci-0.2', method: 'smc' }, why: sleep }
]

/** Changes to device trees by chip and naming, found by booting; the nodes that a tree lacks are passed over. */
export const treeFixes = {
  bcm2837: { raspberrypi: [], mainline: [display, bluetooth, screens.ofGiB] },
  bcm283x: { raspberrypi: [powerDomains], mainline: [powerDomains, display, bluetooth, screens.of512MiB] },
  bcm2711: {
    raspberrypi: [
      secondGiB,
      {
        node: '/soc/usb@7e980000',
        set: { status: 'okay', dr_mode: 'host' },
        why: 'the firmware switches it on; the network hangs on it'
      }
    ],
    mainline: [
      secondGiB,
      { node: '/soc/interrupt-controller@7ef00100', set: off, why: 'its driver panics' },
      { node: /^i2c@7ef0[49]500$/, set: off, why: 'its driver panics' },
      { ...display, node: /^(hdmi|hvs|pixelvalve|dsi|vec|txp|v3d|pwm|avs-monitor)@|^clock@7ef00000$/ },
      { ...display, node: '/gpu' },
      screens.bcm2711,
      { node: '/soc/serial@7e215040', set: off, why: 'writing to the mini UART ends in an interrupt storm' },
      bluetooth,
      {
        node: '/soc/usb@7e980000',
        set: { status: 'okay', dr_mode: 'host' },
        why: 'the network hangs on it'
      },
      {
        node: '/soc/mmc@7e300000',
        set: { 'broken-cd': true },
        unset: ['mmc-pwrseq', 'non-removable'],
        childless: true,
        why: 'QEMU has the SD card where the Wi-Fi chip would be'
      }
    ]
  }
} as const satisfies Readonly<Record<string, Readonly<Record<TreeNaming, readonly TreeFix[]>>>>
