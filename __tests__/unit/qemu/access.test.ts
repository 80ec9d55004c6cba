import { boards } from '../../../src/boards'
import { accessArguments, noAccess, uartBackend } from '../../../src/qemu/access'
import { qemuArguments, type Machine } from '../../../src/qemu'

const { raspi3b, virt, versatilepb } = boards

test('nothing was asked for: no way in', () => {
  expect(accessArguments(raspi3b, noAccess)).toEqual([])
})

test('all that listens is on 127.0.0.1, or a socket of the run', () => {
  const access = { gdb: { port: 1234, waits: true }, monitor: true, serial: 'socket', vnc: 5901 } as const
  expect(accessArguments(virt, access)).toEqual([
    ...['-gdb', 'tcp:127.0.0.1:1234'],
    ...['-chardev', 'socket,id=monitor,path=monitor.sock,server=on,wait=off', '-mon', 'chardev=monitor'],
    ...['-qmp', 'unix:user-qmp.sock,server=on,wait=off'],
    ...['-vnc', '127.0.0.1:1'],
    ...['-device', 'virtio-gpu-pci', '-device', 'virtio-keyboard-pci', '-device', 'virtio-tablet-pci']
  ])
})

test('a board with a display gets what it lacks to sit at', () => {
  const desk = (board: Machine['board']): readonly string[] =>
    accessArguments(board, { ...noAccess, vnc: 5900 }).slice(2)
  expect(desk(raspi3b)).toEqual(['-device', 'usb-kbd'])
  expect(desk(versatilepb)).toEqual([])
})

test('a console with a socket has its log all the same', () => {
  expect(uartBackend({ logs: '/a,b' }, 0)).toBe('file,id=uart0,path=/a,,b/serial0.log')
  expect(uartBackend({ access: { ...noAccess, serial: 'socket' }, logs: '/a,b' }, 1)).toBe(
    'socket,id=uart1,path=serial1.sock,server=on,wait=off,logfile=/a,,b/serial1.log'
  )
})

describe('the CPUs stand still', () => {
  const machine: Machine = {
    ...{
      board: virt,
      cpu: undefined,
      machineOptions: undefined,
      memoryMiB: 1024,
      cpus: 1,
      clock: 'host',
      hasDisk: true
    },
    ...{ kernel: '/k', initrd: undefined, dtb: undefined, kernelArguments: [], volumes: [], disks: [], forwards: [] },
    ...{ extra: [], logs: '/logs' }
  }
  test.each<[string, Partial<Machine>, boolean]>([
    ['not by themselves', {}, false],
    ['nor for gdb', { access: { ...noAccess, gdb: { port: 1, waits: false } } }, false],
    ['but for a gdb that is waited for', { access: { ...noAccess, gdb: { port: 1, waits: true } } }, true],
    ['for a console that is to miss nothing', { standsStill: true }, true],
    ['and for a bare kernel', { hasDisk: false }, true]
  ])('%s', (_, changes, stands) => {
    expect(qemuArguments({ ...machine, ...changes }).includes('-S')).toBe(stands)
  })
})
