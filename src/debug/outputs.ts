import { join } from 'node:path'
import type { Context } from '../context'
import { runFiles, type Machine, type SerialLog } from '../qemu'

/** Sets the outputs about the ways into a machine; again once more is known of which UART is the console. */
export function tellAccess(
  { access }: Machine,
  serial: Pick<SerialLog, 'mainUart' | 'mainFile'>,
  { journal, output }: Pick<Context, 'journal' | 'output'>
): void {
  output('serial-log', serial.mainFile)
  if (access?.serial === 'socket') output('serial-socket', join(journal.folder, runFiles.serial(serial.mainUart)))
  if (access?.monitor !== true) return
  output('monitor-socket', join(journal.folder, runFiles.monitor))
  output('qmp-socket', join(journal.folder, runFiles.userQmp))
}
