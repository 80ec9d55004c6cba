import { join } from 'node:path'
import type { Board } from '../boards'
import type { PortForward } from '../inputs'

/** Names of the files that QEMU reads and writes in the run's folder, which is its working directory. */
export const runFiles = {
  disk: 'disk.qcow2',
  qmp: 'qmp.sock'
} as const

/** Names in the run's log folder. */
export const logFiles = {
  qemu: 'qemu.log',
  serial: (uart: number): string => `serial${uart}.log`
} as const

export interface Volume {
  /** QEMU's id for it, and the file system's label. */
  readonly name: string
  /** Raw file, relative to the run's folder. */
  readonly file: string
}

/** Everything that QEMU's command line depends on. */
export interface Machine {
  readonly board: Board
  readonly memoryMiB: number
  readonly cpus: number
  /** Files, absolute. */
  readonly kernel: string
  readonly initrd: string | undefined
  readonly dtb: string | undefined
  readonly kernelArguments: readonly string[]
  readonly volumes: readonly Volume[]
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
    ...['-machine', board.machine],
    ...(board.cpu === undefined ? [] : ['-cpu', board.cpu]),
    ...(board.sizable ? ['-smp', String(machine.cpus), '-m', String(machine.memoryMiB)] : []),
    ...['-accel', 'tcg,thread=multi'],
    ...['-kernel', machine.kernel],
    ...(machine.initrd === undefined ? [] : ['-initrd', machine.initrd]),
    ...(machine.dtb === undefined ? [] : ['-dtb', machine.dtb]),
    ...['-append', machine.kernelArguments.join(' ')],
    ...disk(board),
    ...machine.volumes.flatMap(volume => attach(board, volume)),
    ...['-netdev', `user,id=net0,${forwards(machine.forwards)}`],
    ...['-device', `${board.network},netdev=net0`],
    ...(board.disk === 'virtio' ? ['-device', 'virtio-rng-pci'] : []),
    ...uarts.flatMap(uart => [
      '-chardev',
      `file,id=uart${uart},path=${value(join(machine.logs, logFiles.serial(uart)))}`,
      '-serial',
      `chardev:uart${uart}`
    ]),
    ...['-qmp', `unix:${runFiles.qmp},server=on,wait=off`],
    ...machine.extra
  ]
}

// The disk lives as long as the run: nothing in it is worth waiting for the host's disk.
const throwaway = 'cache=unsafe'

function disk(board: Board): readonly string[] {
  const drive = `format=qcow2,file=${runFiles.disk},${throwaway}`
  return board.disk === 'sd'
    ? ['-drive', `if=sd,${drive}`]
    : ['-drive', `if=none,id=disk,${drive}`, '-device', 'virtio-blk-pci,drive=disk']
}

function attach(board: Board, { name, file }: Volume): readonly string[] {
  const device = board.volumes === 'usb' ? 'usb-storage' : 'virtio-blk-pci'
  return [
    '-drive',
    `if=none,id=${name},format=raw,file=${value(file)},${throwaway}`,
    '-device',
    `${device},drive=${name}`
  ]
}

function forwards(ports: readonly PortForward[]): string {
  const ssh = 'hostfwd=tcp:127.0.0.1:0-:22'
  return [ssh, ...ports.map(({ protocol, host, guest }) => `hostfwd=${protocol}:127.0.0.1:${host}-:${guest}`)].join(',')
}
