import { join } from 'node:path'
import { readyPi, type Context } from '../boot'
import { attachConsole } from '../debug'
import type { Report } from '../execute'
import type { Inputs } from '../inputs'
import { flushPatience, qemuCommand, quitQemu, runFiles, startQemu, type Machine } from '../qemu'
import { BadInput } from '../report/errors'
import { makeRunFiles } from '../run-files'

/**
 * Boots a Pi with this terminal as its serial console, from the kernel's first word on, until Ctrl-] or until the guest
 * switches itself off. Nothing of it takes SSH: an image that never gets so far can be watched, and mended, here.
 */
export async function consoleSession(
  asked: Inputs,
  context: Context
): Promise<Pick<Report, 'outcome' | 'exitCode' | 'signal'>> {
  if (asked.image.kind === 'none')
    throw new BadInput(['`console` needs an image; with `--image none` use `run`, which shows the serial output'])
  const inputs: Inputs = { ...asked, run: undefined, debugging: { ...asked.debugging, serial: 'socket' } }
  const { journal, log, phases, output } = context
  const ready = await readyPi(inputs, context)
  const { board, install } = ready
  const { machine, image, makeDisk } = await phases.run('disk', 'Disk, keys and workspace of this Pi', () =>
    makeRunFiles({ ...ready, inputs, ...context, qemu: install.version })
  )
  output('board', board.name)
  const standing: Machine = { ...machine, standsStill: true }
  log.debug(qemuCommand(standing, install).join(' '))
  const qemu = await phases.run('qemu', 'Start QEMU', async () => {
    await makeDisk()
    return startQemu(standing, install, journal)
  })
  log.info(`${image.title} on ${board.name}; Ctrl-] leaves the console and ends the Pi`)
  const socket = join(journal.folder, runFiles.serial(consoleUart(machine)))
  const end = await attachConsole(socket, process.stdin, process.stdout, () => {
    if (inputs.debugging.gdb?.waits !== true) void qemu.qmp.execute('cont').catch(() => undefined)
  })
  log.info(end === 'left' ? 'Left the console; the Pi ends' : 'The Pi has ended')
  await quitQemu(qemu, inputs.disks.length > 0 ? flushPatience : undefined)
  return { outcome: 'success', exitCode: 0, signal: undefined }
}

/** The UART that the kernel's arguments make /dev/console: the last one counts, and a Pi's `ttyS0` is its second. */
export function consoleUart({ board, kernelArguments }: Pick<Machine, 'board' | 'kernelArguments'>): number {
  const last = kernelArguments
    .flatMap(words => words.split(/\s+/))
    .filter(word => word.startsWith('console='))
    .at(-1)
  return board.uarts > 1 && last?.startsWith('console=ttyS') === true ? 1 : 0
}
