import { boards, type BoardName } from '../../src/boards'
import type { PreparedImage } from '../../src/images'
import type { Inputs } from '../../src/inputs'
import { planMachine, type MachinePlan } from '../../src/plan'
import { qemuArguments } from '../../src/qemu'
import { defaultInputs, preparedImage } from './samples'

const sample = preparedImage()
const names = [...sample.bootFiles.names, 'kernel.img', 'kernel7.img', 'bcm2708-rpi-zero.dtb', 'bcm2709-rpi-2-b.dtb']
const able: Partial<PreparedImage> = { bootFiles: { ...sample.bootFiles, names, hotplugKernels: ['kernel8.img'] } }

interface Case {
  readonly inputs?: Partial<Inputs>
  readonly image?: Partial<PreparedImage>
  readonly board?: BoardName
  readonly hostCpus?: number
  readonly cmdline?: string
  readonly qemu?: string
}

function planned({
  inputs = {},
  image = able,
  board = 'raspi3b',
  hostCpus = 2,
  qemu = '7.2.22',
  ...more
}: Case = {}): MachinePlan {
  const request = { inputs: { ...defaultInputs, ...inputs }, image: preparedImage(image), board: boards[board] }
  return planMachine({ ...request, ...more, hostCpus, qemu, volumes: [], logs: '/logs', clock: 0 })
}
const atBoot = (change?: Case): number | undefined => planned(change).machine.cpusAtBoot

test('no more CPUs boot than the host has; QEMU starts the others when the guest asks for them', () => {
  const { machine, deviceTree } = planned()
  expect([machine.cpus, machine.cpusAtBoot]).toEqual([4, 2])
  expect(machine.kernelArguments).toContain('maxcpus=2')
  expect(deviceTree?.fixes.flatMap(({ set = {} }) => Object.values(set))).toEqual(['psci', 'arm,psci-0.2', 'smc'])
  const words = qemuArguments(machine).join(' ')
  expect(words).toContain('-smp 4 ')
  expect(words).toContain(' -global bcm2837.enabled-cpus=1 -global cortex-a53-arm-cpu.psci-conduit=1 ')
})

test('all boot where the host has as many, and then nothing is different from a Pi', () => {
  const { machine, deviceTree } = planned({ hostCpus: 4 })
  expect([machine.cpus, machine.cpusAtBoot, deviceTree?.fixes]).toEqual([4, undefined, []])
  expect(machine.kernelArguments.join(' ')).not.toContain('maxcpus')
  expect(qemuArguments(machine).join(' ')).not.toContain('-global')
})

test.each<[string, Case]>([
  ['a kernel that may not be able to start them later', { image: {} }],
  ['a board with one CPU', { board: 'raspi0' }],
  ['a 32-bit kernel', { board: 'raspi2b' }],
  ["a kernel of the user's own", { inputs: { kernel: '/k' } }],
  ['an initramfs of the same', { inputs: { initrd: '/i' } }],
  ['a device tree of the same', { inputs: { dtb: '/d' } }],
  ['an old QEMU', { qemu: '6.2.0' }],
  ['a number that was asked for', { inputs: { append: 'quiet maxcpus=3' } }],
  ['a boot that leaves nothing out', { inputs: { boot: 'full' } }],
  ['an image that is left as it is', { inputs: { provision: 'none' } }],
  ["the image's own first boot", { cmdline: 'console=tty1 root=PARTUUID=1-02' }]
])('all boot with %s', (_, change) => {
  expect(atBoot(change)).toBeUndefined()
})
