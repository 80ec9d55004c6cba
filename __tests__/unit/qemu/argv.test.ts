import { boards } from '../../../src/boards'
import { qemuArguments, type Machine } from '../../../src/qemu'

const pi: Machine = {
  board: boards.raspi3b,
  cpu: undefined,
  machineOptions: undefined,
  memoryMiB: 1024,
  cpus: 4,
  clock: 'host',
  hasDisk: true,
  kernel: '/cache/boot/kernel8.img',
  initrd: '/cache/boot/initramfs8',
  dtb: '/cache/boot/bcm2710-rpi-3-b.dtb',
  kernelArguments: ['root=PARTUUID=4e639091-02', 'rw'],
  volumes: [{ name: 'workspace', file: 'workspace.img' }],
  disks: [],
  forwards: [],
  extra: [],
  logs: '/home/logs/run-1'
}
const virt: Machine = { ...pi, board: boards.virt, cpu: 'cortex-a72', memoryMiB: 2048, cpus: 3, dtb: undefined }

/** The values that follow an option. */
const valuesOf = (machine: Machine, option: string): readonly string[] => {
  const words = qemuArguments(machine)
  return words.filter((_, at) => words[at - 1] === option)
}

test("the command line of raspi3b: the board's own size, SD card, USB network and volume, both UARTs", () => {
  expect(qemuArguments(pi)).toEqual([
    ...['-name', 'pi-qemu', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-machine', 'raspi3b', '-smp', '4', '-m', '1024', '-accel', 'tcg,thread=multi'],
    ...['-kernel', '/cache/boot/kernel8.img', '-initrd', '/cache/boot/initramfs8'],
    ...['-dtb', '/cache/boot/bcm2710-rpi-3-b.dtb', '-append', 'root=PARTUUID=4e639091-02 rw'],
    ...['-drive', 'if=sd,format=qcow2,file=disk.qcow2,cache=unsafe'],
    ...['-drive', 'if=none,id=workspace,format=raw,file=workspace.img,cache=unsafe'],
    ...['-device', 'usb-storage,drive=workspace'],
    ...['-netdev', 'user,id=net0,hostfwd=tcp:127.0.0.1:0-:22', '-device', 'usb-net,netdev=net0'],
    ...['-object', 'filter-dump,id=packets,netdev=net0,file=net.pcap'],
    ...['-chardev', 'file,id=uart0,path=/home/logs/run-1/serial0.log', '-serial', 'chardev:uart0'],
    ...['-chardev', 'file,id=uart1,path=/home/logs/run-1/serial1.log', '-serial', 'chardev:uart1'],
    ...['-qmp', 'unix:qmp.sock,server=on,wait=off']
  ])
})

describe('the network', () => {
  const forwards = [{ protocol: 'udp', host: 5353, guest: 53 }] as const

  test('listens where it is told to, SSH and all ports alike', () => {
    const network = { kind: 'user', listen: '0.0.0.0', sshPort: 2222 } as const
    expect(valuesOf({ ...pi, forwards, network }, '-netdev')).toEqual([
      'user,id=net0,hostfwd=tcp:0.0.0.0:2222-:22,hostfwd=udp:0.0.0.0:5353-:53'
    ])
  })

  test('on a tap there is nothing to forward, and its first packet is waited for as ever', () => {
    const machine: Machine = { ...pi, forwards, network: { kind: 'tap', device: 'pq-0123456789ab' } }
    expect(valuesOf(machine, '-netdev')).toEqual(['tap,id=net0,ifname=pq-0123456789ab,script=no,downscript=no'])
    expect(valuesOf(machine, '-device')).toContain('usb-net,netdev=net0')
    expect(valuesOf(machine, '-object')).toEqual(['filter-dump,id=packets,netdev=net0,file=net.pcap'])
  })
})

test('a disk on USB is the first of its devices', () => {
  const drives = valuesOf({ ...pi, diskPlace: 'usb' }, '-drive')
  expect(drives[0]).toBe('if=none,id=disk,format=qcow2,file=disk.qcow2,cache=unsafe')
  expect(valuesOf({ ...pi, diskPlace: 'usb' }, '-device').slice(0, 2)).toEqual([
    ...['usb-storage,drive=disk', 'usb-storage,drive=workspace']
  ])
  expect(valuesOf({ ...pi, diskPlace: 'sd' }, '-drive')).toEqual(valuesOf(pi, '-drive'))
})

test('the command line of virt: size and CPU, virtio throughout, one UART', () => {
  expect(qemuArguments(virt)).toEqual([
    ...['-name', 'pi-qemu', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-machine', 'virt', '-cpu', 'cortex-a72', '-smp', '3', '-m', '2048', '-accel', 'tcg,thread=multi'],
    ...['-kernel', '/cache/boot/kernel8.img', '-initrd', '/cache/boot/initramfs8'],
    ...['-append', 'root=PARTUUID=4e639091-02 rw'],
    ...['-drive', 'if=none,id=disk,format=qcow2,file=disk.qcow2,cache=unsafe'],
    ...['-device', 'virtio-blk-pci,drive=disk'],
    ...['-drive', 'if=none,id=workspace,format=raw,file=workspace.img,cache=unsafe'],
    ...['-device', 'virtio-blk-pci,drive=workspace'],
    ...['-netdev', 'user,id=net0,hostfwd=tcp:127.0.0.1:0-:22'],
    ...['-device', 'virtio-net-pci,romfile=,netdev=net0'],
    ...['-object', 'filter-dump,id=packets,netdev=net0,file=net.pcap', '-device', 'virtio-rng-pci'],
    ...['-chardev', 'file,id=uart0,path=/home/logs/run-1/serial0.log', '-serial', 'chardev:uart0'],
    ...['-qmp', 'unix:qmp.sock,server=on,wait=off']
  ])
})

test('packets are recorded for as long as a first one is waited for, and not from a guest with a channel', () => {
  const recorded = (more: Partial<Machine>): boolean => valuesOf({ ...virt, ...more }, '-object').length > 0
  expect([recorded({}), recorded({ channel: 'pi-qemu' }), recorded({ incoming: true })]).toEqual([true, false, false])
})

test('what is not there is not named', () => {
  const words = qemuArguments({ ...pi, initrd: undefined, dtb: undefined, volumes: [] })
  for (const option of ['-initrd', '-dtb', 'usb-storage']) expect(words.join(' ')).not.toContain(option)
})

test('the classic recipe of versatilepb: its own network device, old-style virtio', () => {
  const words = qemuArguments({ ...pi, board: boards.versatilepb, cpu: 'arm1176', memoryMiB: 256, cpus: 1 }).join(' ')
  expect(words).toContain('-machine versatilepb -cpu arm1176 -smp 1 -m 256 ')
  expect(words).toContain('-device virtio-blk-pci,disable-modern=on,disable-legacy=off,drive=disk ')
  expect(words).toContain('-net nic,model=smc91c111,netdev=net0 ')
  expect(words).not.toContain('virtio-rng')
})

test('time that follows the instructions takes one thread', () => {
  const words = qemuArguments({ ...pi, clock: 'icount' }).join(' ')
  expect(words).toContain('-accel tcg,thread=single -icount shift=4,sleep=off ')
})

test('options of a machine follow its name', () => {
  expect(valuesOf({ ...virt, machineOptions: 'highmem=off' }, '-machine')).toEqual(['virt,highmem=off'])
})

test("the user's disks come after the volumes, with a serial number each", () => {
  const disks = [
    { path: '/d/a,b.img', format: 'raw' },
    { path: '/d/c.qcow2', format: 'qcow2' }
  ] as const
  expect(valuesOf({ ...virt, disks }, '-drive').slice(2)).toEqual([
    'if=none,id=extra0,format=raw,file=/d/a,,b.img',
    'if=none,id=extra1,format=qcow2,file=/d/c.qcow2'
  ])
  expect(valuesOf({ ...pi, disks }, '-device').join(' ')).toContain('usb-storage,drive=extra1,serial=extra1')
})

test("a shared folder is the guest's by 9p, with owners as they are on the host", () => {
  const machine = { ...virt, sharedFolders: [{ name: 'pi-workspace', path: '/a,b/work' }] }
  expect(valuesOf(machine, '-fsdev')).toEqual([
    'local,id=pi-workspace,path=/a,,b/work,security_model=none,multidevs=remap'
  ])
  expect(valuesOf(machine, '-device')).toContain('virtio-9p-pci,fsdev=pi-workspace,mount_tag=pi-workspace')
  expect(qemuArguments(virt)).not.toContain('-fsdev')
})

test('a bare kernel has no disk', () => {
  expect(qemuArguments({ ...pi, hasDisk: false }).join(' ')).not.toContain('disk.qcow2')
})

test('commas in paths are doubled where QEMU splits at commas, and nowhere else', () => {
  const machine: Machine = {
    ...pi,
    ...{ kernel: '/a,b/k', initrd: '/a,b/i', dtb: '/a,b/d', logs: '/a,b/logs', kernelArguments: ['console=x,1'] },
    volumes: [{ name: 'workspace', file: 'a,b.img' }]
  }
  expect(valuesOf(machine, '-chardev')).toEqual([
    'file,id=uart0,path=/a,,b/logs/serial0.log',
    'file,id=uart1,path=/a,,b/logs/serial1.log'
  ])
  expect(valuesOf(machine, '-drive')[1]).toBe('if=none,id=workspace,format=raw,file=a,,b.img,cache=unsafe')
  for (const [option, value] of Object.entries({
    kernel: '/a,b/k',
    initrd: '/a,b/i',
    dtb: '/a,b/d',
    append: 'console=x,1'
  }))
    expect(valuesOf(machine, `-${option}`)).toEqual([value])
})

test('ports of both protocols listen on 127.0.0.1 alone, after the one for SSH', () => {
  const forwards = [
    { protocol: 'tcp', host: 8080, guest: 80 },
    { protocol: 'udp', host: 5353, guest: 53 }
  ] as const
  expect(valuesOf({ ...pi, forwards }, '-netdev')).toEqual([
    'user,id=net0,hostfwd=tcp:127.0.0.1:0-:22,hostfwd=tcp:127.0.0.1:8080-:80,hostfwd=udp:127.0.0.1:5353-:53'
  ])
})

test("the user's own arguments come last, each as one word", () => {
  const extra = ['-d', 'guest errors,unimp']
  expect(qemuArguments({ ...virt, extra }).slice(-2)).toEqual(extra)
})
