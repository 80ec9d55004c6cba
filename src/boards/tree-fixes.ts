import type { TreeFix, TreeNaming } from './types'

const off = { status: 'disabled' } as const

/** Display blocks that QEMU does not have, and whose drivers wait for it or fault. */
const display: TreeFix = {
  node: /^(hdmi|hvs|pixelvalve|dsi|vec|txp|v3d|gpu)@/,
  set: off,
  why: 'no display hardware'
}

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
  bcm283x: { raspberrypi: [powerDomains], mainline: [powerDomains, display] },
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
      { ...display, node: /^(hdmi|hvs|pixelvalve|dsi|vec|txp|v3d|gpu|pwm|avs-monitor)@|^clock@7ef00000$/ },
      { node: '/soc/serial@7e215040', set: off, why: 'writing to the mini UART ends in an interrupt storm' },
      { node: '/soc/serial@7e201000/bluetooth', set: off, why: 'no Bluetooth' },
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
