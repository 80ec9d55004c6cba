import { join } from 'node:path'
import type { Board, DiskPlace } from '../boards'
import type { ExtraDisk, PortForward } from '../inputs'

/** Names of the files that QEMU reads and writes in the run's folder, which is its working directory. */
export const runFiles = {
  disk: 'disk.qcow2',
  deviceTree: 'board.dtb',
  uefiVariables: 'uefi-vars.fd',
  qmp: 'qmp.sock',
  channel: 'channel.sock',
  packets: 'net.pcap'
} as const

/** Names in the run's log folder. */
export const logFiles = {
  qemu: 'qemu.log',
  /** Program and arguments, each on a line. */
  argv: 'qemu-argv.txt',
  qmp: 'qmp.log',
  serial: (uart: number): string => `serial${uart}.log`
} as const

export interface Volume {
  /** QEMU's id for it, and the file system's label. */
  readonly name: string
  /** Raw file, absolute or relative to the run's folder. */
  readonly file: string
  /** The guest only reads it; several runs may have it at once. */
  readonly readOnly?: true
}

/** A folder of the host that the guest mounts by 9p. */
export interface SharedFolder {
  /** The tag to mount it by. */
  readonly name: string
  /** Absolute. */
  readonly path: string
}

/** UEFI firmware in flash memory. */
export interface Firmware {
  /** Its code; absolute, only read. */
  readonly code: string
  /** Its variables as they are in a new machine; copied to {@link runFiles.uefiVariables} for each run. */
  readonly variables: string
}

/** Everything that QEMU's command line depends on. */
export interface Machine {
  readonly board: Board
  /** What executes the guest's instructions; by default `tcg`, in software. */
  readonly accelerator?: 'tcg' | 'kvm'
  /** `-cpu`, where the machine leaves the choice. */
  readonly cpu: string | undefined
  /** What follows the machine's name in `-machine`. */
  readonly machineOptions: string | undefined
  readonly memoryMiB: number
  readonly cpus: number
  /** How many of them the kernel starts; by default all. On a board with {@link Board.psci} alone. */
  readonly cpusAtBoot?: number | undefined
  readonly clock: 'host' | 'icount'
  /** Whether there is an image: a disk to boot from, and SSH to reach. */
  readonly hasDisk: boolean
  /** The disk's file, where it is not {@link runFiles.disk}. */
  readonly diskFile?: string
  /** A line to a program in the guest, by the name it has there; QEMU connects to {@link runFiles.channel}. */
  readonly channel?: string
  /** Whether the machine continues: its memory comes from QEMU's standard input. */
  readonly incoming?: true
  /** Where the disk is on a board with a card slot; by default in it. */
  readonly diskPlace?: DiskPlace | undefined
  readonly firmware?: Firmware | undefined
  /** Files, absolute; a kernel unless there is firmware. */
  readonly kernel: string | undefined
  readonly initrd: string | undefined
  readonly dtb: string | undefined
  readonly kernelArguments: readonly string[]
  readonly volumes: readonly Volume[]
  readonly sharedFolders?: readonly SharedFolder[]
  /** The user's further disks. */
  readonly disks: readonly ExtraDisk[]
  readonly forwards: readonly PortForward[]
  readonly extra: readonly string[]
  /** Folder for {@link logFiles}, absolute. */
  readonly logs: string
}

/** Commas separate options in a QEMU argument; one that belongs to a value is doubled. */
const value = (text: string): string => text.replaceAll(',', ',,')

/**
 * QEMU's arguments for a machine, in the order a person would write them. All host ports are on 127.0.0.1; SSH's is
 * chosen by the kernel when QEMU binds it (port 0), so that two runs can never want the same one.
 */
export function qemuArguments(machine: Machine): readonly string[] {
  const { board } = machine
  const uarts = Array.from({ length: board.uarts }, (_, uart) => uart)
  return [
    ...['-name', 'pi-qemu', '-nodefaults', '-no-user-config', '-display', 'none'],
    ...['-machine', [board.machine, machine.machineOptions].filter(Boolean).join(',')],
    ...(machine.cpu === undefined ? [] : ['-cpu', machine.cpu]),
    ...['-smp', String(machine.cpus), '-m', String(machine.memoryMiB)],
    ...acceleration(machine),
    ...(machine.cpusAtBoot === undefined ? [] : byPsci(board)),
    ...(machine.firmware === undefined ? [] : flash(machine.firmware)),
    ...(machine.kernel === undefined ? [] : ['-kernel', machine.kernel]),
    ...(machine.initrd === undefined ? [] : ['-initrd', machine.initrd]),
    ...(machine.dtb === undefined ? [] : ['-dtb', machine.dtb]),
    ...(machine.kernel === undefined ? [] : ['-append', machine.kernelArguments.join(' ')]),
    ...(machine.hasDisk ? disk(machine) : []),
    ...machine.volumes.flatMap(volume => attach(board, volume)),
    ...(machine.sharedFolders ?? []).flatMap(share),
    ...machine.disks.flatMap((extra, index) => attachExtra(board, extra, index)),
    ...['-netdev', ['user', 'id=net0', ...forwards(machine)].join(',')],
    ...(board.network === onBoardNic
      ? ['-net', `nic,model=${onBoardNic},netdev=net0`]
      : ['-device', `${board.network},netdev=net0`]),
    ...(listensFor(machine) ? ['-object', `filter-dump,id=${packetFilter},netdev=net0,file=${runFiles.packets}`] : []),
    ...(board.needsGenericKernel ? ['-device', 'virtio-rng-pci'] : []),
    ...(machine.channel === undefined ? [] : channel(machine.channel)),
    ...uarts.flatMap(uart => [
      '-chardev',
      `file,id=uart${uart},path=${value(join(machine.logs, logFiles.serial(uart)))}`,
      '-serial',
      `chardev:uart${uart}`
    ]),
    ...['-qmp', `unix:${runFiles.qmp},server=on,wait=off`],
    // A bare kernel may be done before we listen: it waits for us.
    ...(machine.hasDisk ? [] : ['-S']),
    ...(machine.incoming === true ? ['-incoming', 'fd:0'] : []),
    ...machine.extra
  ]
}

/** Switches the other CPUs off until they are asked for, and has QEMU answer for the firmware that is asked. */
function byPsci({ psci }: Board): readonly string[] {
  // 1: SMC (QEMU_PSCI_CONDUIT_SMC in its target/arm/kvm-consts.h).
  return psci === undefined
    ? []
    : ['-global', `${psci.soc}.enabled-cpus=1`, '-global', `${psci.core}-arm-cpu.psci-conduit=1`]
}

/** QEMU's id of what records packets until the guest has sent one, see FirstPacket. */
export const packetFilter = 'packets'

/**
 * Whether the guest's first packet is waited for: a connection before it is in vain, and takes a second or more to give
 * up. A guest that we reach by its channel is on the network before it is asked for SSH.
 */
export function listensFor({ hasDisk, channel, incoming }: Machine): boolean {
  return hasDisk && channel === undefined && incoming !== true
}

/** Versatile/PB's own: part of the machine, so it is no `-device`. */
const onBoardNic = 'smc91c111'

/**
 * With `icount` the guest's time follows the instructions: 16 ns for each, and no sleeping when it is idle. It takes
 * one thread for all CPUs.
 */
function acceleration({ accelerator, clock }: Machine): readonly string[] {
  if (accelerator === 'kvm') return ['-accel', 'kvm']
  return clock === 'icount'
    ? ['-accel', 'tcg,thread=single', '-icount', 'shift=4,sleep=off']
    : ['-accel', 'tcg,thread=multi']
}

// The disk lives as long as the run: nothing in it is worth waiting for the host's disk.
const throwaway = 'cache=unsafe'

function disk({ board, firmware, diskPlace = 'sd', diskFile = runFiles.disk }: Machine): readonly string[] {
  const drive = `format=qcow2,file=${value(diskFile)},${throwaway}`
  if (board.disk === 'sd' && diskPlace === 'sd') return ['-drive', `if=sd,${drive}`]
  // Firmware would also try the user's disks, and the network.
  const order = firmware === undefined ? '' : ',bootindex=0'
  return ['-drive', `if=none,id=disk,${drive}`, '-device', `${board.storage},drive=disk${order}`]
}

function flash({ code }: Firmware): readonly string[] {
  const drives = [`unit=0,file=${value(code)},readonly=on`, `unit=1,file=${runFiles.uefiVariables},${throwaway}`]
  return drives.flatMap(drive => ['-drive', `if=pflash,format=raw,${drive}`])
}

function attach(board: Board, { name, file, readOnly }: Volume): readonly string[] {
  const drive = `if=none,id=${name},format=raw,file=${value(file)},${readOnly === true ? 'readonly=on' : throwaway}`
  return ['-drive', drive, '-device', `${board.storage},drive=${name}`]
}

/**
 * With `none`, files are made as the user who runs QEMU makes them, and a change of owner that this user may not do is
 * passed over; links stay links. The other models would write attributes of their own, or need root.
 */
function share({ name, path }: SharedFolder): readonly string[] {
  const options = `local,id=${name},path=${value(path)},security_model=none,multidevs=remap`
  return ['-fsdev', options, '-device', `virtio-9p-pci,fsdev=${name},mount_tag=${name}`]
}

/**
 * The user's own: its serial number tells it apart in the guest, and what is written to it is kept. QEMU's default
 * cache mode (writeback) passes the guest's flushes on, and QEMU locks the file against another writer.
 */
function attachExtra(board: Board, { path, format }: ExtraDisk, index: number): readonly string[] {
  const id = `extra${index}`
  const drive = `if=none,id=${id},format=${format},file=${value(path)}`
  return ['-drive', drive, '-device', `${board.storage},drive=${id},serial=${id}`]
}

function channel(name: string): readonly string[] {
  return [
    ...['-chardev', `socket,id=channel,path=${runFiles.channel}`, '-device', 'virtio-serial-pci'],
    ...['-device', `virtserialport,chardev=channel,name=${name}`]
  ]
}

function forwards({ hasDisk, forwards: ports }: Machine): readonly string[] {
  const ssh = hasDisk ? ['hostfwd=tcp:127.0.0.1:0-:22'] : []
  return [...ssh, ...ports.map(({ protocol, host, guest }) => `hostfwd=${protocol}:127.0.0.1:${host}-:${guest}`)]
}
