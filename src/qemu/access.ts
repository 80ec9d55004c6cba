import { join } from 'node:path'
import type { Board } from '../boards'
import { vncBase, type Debugging } from '../inputs'
import { logFiles, runFiles } from './file-names'
import { value } from './quoting'

/** Ways into a running machine, besides its network. */
export type Access = Pick<Debugging, 'gdb' | 'monitor' | 'serial' | 'vnc'>

interface Accessible {
  readonly access?: Access | undefined
}

/** No way but the serial logs. */
export const noAccess: Access = { gdb: undefined, monitor: false, serial: 'file', vnc: undefined }

/** Whether the CPUs stand still until gdb lets them go. */
export const waitsForGdb = ({ access = noAccess }: Accessible): boolean => access.gdb?.waits === true

/**
 * QEMU's arguments for the ways into a machine. What listens on a port is on 127.0.0.1, what is a socket in the run's
 * folder, which is its user's alone.
 */
export function accessArguments(board: Board, { gdb, monitor, vnc }: Access): readonly string[] {
  return [
    ...(gdb === undefined ? [] : ['-gdb', `tcp:127.0.0.1:${gdb.port}`]),
    ...(monitor ? monitors : []),
    ...(vnc === undefined ? [] : ['-vnc', `127.0.0.1:${vnc - vncBase}`]),
    ...(vnc === undefined ? [] : board.desk.flatMap(device => ['-device', device]))
  ]
}

/** Not the QMP that we speak to QEMU by: that has one user at a time. */
const monitors = [
  ...['-chardev', `socket,id=monitor,path=${runFiles.monitor},server=on,wait=off`, '-mon', 'chardev=monitor'],
  ...['-qmp', `unix:${runFiles.userQmp},server=on,wait=off`]
]

/** What a UART is connected to. With a socket the log file has all the same what the guest wrote. */
export function uartBackend({ access = noAccess, logs }: Accessible & { readonly logs: string }, uart: number): string {
  const log = value(join(logs, logFiles.serial(uart)))
  return access.serial === 'file'
    ? `file,id=uart${uart},path=${log}`
    : `socket,id=uart${uart},path=${runFiles.serial(uart)},server=on,wait=off,logfile=${log}`
}
