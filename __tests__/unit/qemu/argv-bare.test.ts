import { boards } from '../../../src/boards'
import { qemuArguments, type Machine } from '../../../src/qemu'

const bare: Machine = {
  board: boards.virt,
  ...{ cpu: 'cortex-a72', machineOptions: undefined, memoryMiB: 1024, cpus: 2, clock: 'host' },
  hasDisk: false,
  ...{ kernel: '/w/vmlinuz', initrd: undefined, dtb: undefined },
  kernelArguments: ['console=ttyAMA0'],
  ...{ volumes: [], disks: [], forwards: [], extra: [] },
  logs: '/logs'
}
const valuesOf = (machine: Machine, option: string): readonly string[] => {
  const words = qemuArguments(machine)
  return words.filter((_, at) => words[at - 1] === option)
}

test('a bare kernel has no disk and no way in; it waits until it is listened to', () => {
  expect(valuesOf(bare, '-drive')).toEqual([])
  expect(valuesOf(bare, '-netdev')).toEqual(['user,id=net0'])
  expect(qemuArguments(bare)).toContain('-S')
  expect(qemuArguments({ ...bare, hasDisk: true })).not.toContain('-S')
})

test('its ports are forwarded all the same', () => {
  const forwards = [{ protocol: 'tcp', host: 8080, guest: 80 }] as const
  expect(valuesOf({ ...bare, forwards }, '-netdev')).toEqual(['user,id=net0,hostfwd=tcp:127.0.0.1:8080-:80'])
})

test("the user's disks carry serial numbers, and their cache is not unsafe", () => {
  const disks = [
    { path: '/w/a,b.img', format: 'raw' },
    { path: '/w/c.qcow2', format: 'qcow2' }
  ] as const
  expect(valuesOf({ ...bare, disks }, '-drive')).toEqual([
    'if=none,id=extra0,format=raw,file=/w/a,,b.img',
    'if=none,id=extra1,format=qcow2,file=/w/c.qcow2'
  ])
  expect(valuesOf({ ...bare, disks }, '-device')).toEqual(
    expect.arrayContaining(['virtio-blk-pci,drive=extra0,serial=extra0', 'virtio-blk-pci,drive=extra1,serial=extra1'])
  )
  expect(valuesOf({ ...bare, board: boards.raspi3b, disks }, '-device')).toContain(
    'usb-storage,drive=extra1,serial=extra1'
  )
})

test('firmware lies in flash, its code read-only, its variables of the run; it starts the image and nothing else', () => {
  const firmware = { code: '/usr/share/x,y.fd', variables: '/usr/share/vars.fd' }
  const machine: Machine = { ...bare, hasDisk: true, kernel: undefined, firmware }
  expect(valuesOf(machine, '-drive')).toEqual([
    'if=pflash,format=raw,unit=0,file=/usr/share/x,,y.fd,readonly=on',
    'if=pflash,format=raw,unit=1,file=uefi-vars.fd,cache=unsafe',
    'if=none,id=disk,format=qcow2,file=disk.qcow2,cache=unsafe'
  ])
  expect(valuesOf(machine, '-device')).toContain('virtio-blk-pci,drive=disk,bootindex=0')
  for (const option of ['-kernel', '-append']) expect(qemuArguments(machine)).not.toContain(option)
})
