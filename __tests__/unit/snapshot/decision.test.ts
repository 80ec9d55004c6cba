import { boards } from '../../../src/boards'
import type { Inputs } from '../../../src/inputs'
import { planMachine } from '../../../src/plan'
import type { Machine } from '../../../src/qemu'
import { snapshotKey, whyNoSnapshot } from '../../../src/snapshot'
import { defaultInputs, preparedImage } from '../samples'

const machineOf = (inputs: Inputs, board: keyof typeof boards = 'virt', logs = '/logs', clock = 1): Machine =>
  planMachine({ inputs, image: preparedImage(), board: boards[board], volumes: [], logs, clock }).machine
const virt = machineOf(defaultInputs)

describe('whether a booted Pi is kept', () => {
  test('on virt it is, without a word from the user', () => {
    expect(whyNoSnapshot(defaultInputs, virt)).toBeUndefined()
  })

  test.each<[string, Partial<Inputs>, Partial<Machine>]>([
    ['snapshot: off', { snapshot: 'off' }, {}],
    ['board raspi3b', {}, machineOf(defaultInputs, 'raspi3b')],
    ['cache: off', { cache: 'off' }, {}],
    ['provision: none', { provision: 'none' }, {}],
    ['first-boot: run', { firstBoot: 'run' }, {}],
    ['firmware: uefi', { firmware: 'uefi' }, {}],
    ['password', { password: 'x' }, {}],
    ['files', { files: [{ from: '/a', to: '/b', mode: undefined }] }, {}],
    ['disks', { disks: [{ path: '/a', format: 'raw' }] }, {}],
    ['qemu-args', { qemuArgs: ['-s'] }, {}],
    ['kernel', { kernel: '/vmlinuz' }, {}],
    ['initrd', { initrd: '/initrd' }, {}],
    ['gdb', { debugging: { ...defaultInputs.debugging, gdb: { port: 1234, waits: false } } }, {}],
    ['vnc', { debugging: { ...defaultInputs.debugging, vnc: 5900 } }, {}],
    ['sync: live', { sync: 'live' }, {}],
    ['network: tap', { network: 'tap' }, {}],
    ['KVM', {}, { accelerator: 'kvm' }],
    ['clock: icount', {}, { clock: 'icount' }]
  ])('not with %s, and the log says so', (why, inputs, machine) => {
    expect(whyNoSnapshot({ ...defaultInputs, ...inputs }, { ...virt, ...machine })).toContain(why)
  })
})

describe('the key of a snapshot', () => {
  const key = snapshotKey('image', '7.2.22', virt)

  test('does not depend on what differs between runs', () => {
    const later = machineOf(
      {
        ...defaultInputs,
        ports: [{ protocol: 'tcp', host: 8080, guest: 80 }],
        debugging: { ...defaultInputs.debugging, serial: 'socket', monitor: true, onFailure: 1 }
      },
      'virt',
      '/other',
      2
    )
    expect(snapshotKey('image', '7.2.22', later)).toBe(key)
    const elsewhere = machineOf({ ...defaultInputs, sshPort: 2222, listen: '0.0.0.0' })
    expect(snapshotKey('image', '7.2.22', elsewhere)).toBe(key)
  })

  test.each<[string, string]>([
    ['another image', snapshotKey('other', '7.2.22', virt)],
    ['another QEMU', snapshotKey('image', '10.0.13', virt)],
    ['another kernel', snapshotKey('image', '7.2.22', virt, 'kernel')],
    ['more memory', snapshotKey('image', '7.2.22', { ...virt, memoryMiB: 2048 })],
    ['more CPUs', snapshotKey('image', '7.2.22', { ...virt, cpus: 4 })],
    ['another CPU model', snapshotKey('image', '7.2.22', { ...virt, cpu: 'max' })],
    ['another device', snapshotKey('image', '7.2.22', { ...virt, volumes: [{ name: 'workspace', file: 'x.img' }] })],
    ['another kernel argument', snapshotKey('image', '7.2.22', machineOf({ ...defaultInputs, append: 'quiet' }))]
  ])('is another one with %s', (_, other) => {
    expect(other).not.toBe(key)
  })
})
