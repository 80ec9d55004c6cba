import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Context } from '../context'
import { readyQemu, readyTools } from '../host-ready'
import { boards } from '../boards'
import { tellAccess } from '../debug'
import { checkDisks } from '../disks'
import type { Inputs } from '../inputs'
import { boardFor, planMachine } from '../plan'
import {
  flushPatience,
  makeDeviceTree,
  qemuCommand,
  quitQemu,
  runFiles,
  SerialLog,
  startQemu,
  waitForGdb,
  type Machine,
  type Qemu
} from '../qemu'
import { collect } from '../report/collect'
import { diagnose } from '../report/diagnosis'
import { BadInput } from '../report/errors'
import type { Result } from '../run'
import { ConsoleWatch } from './console'
import { resultOf, type Ending } from './ending'
import { architectureFor, inspectKernel, kernelFaults } from './kernel'

/** How often (ms) the console and QEMU are looked at. */
const watchInterval = 100
/** After a panic or a power-off the console may have more to say; QEMU's own end is told in two ways, one a moment late. */
const lastWords = 500
/** Lines of console shown with a failure. */
const shownLines = 12

/**
 * A run without an image: the kernel's serial output is what the reader came for. No SSH, no workspace, no disk but the
 * user's own.
 */
export async function runBare(inputs: Inputs, context: Context): Promise<Result> {
  const { phases, journal, log, output, stdout, record } = context
  await phases.run('plan', 'Plan', async () => {
    for (const line of describeBare(inputs)) log.info(line)
    return Promise.resolve()
  })
  const install = await readyQemu(inputs, boardFor(inputs, undefined), context)
  await readyTools(inputs, context)
  const machine = await phases.run('machine', 'Kernel, device tree and disks', () => makeMachine(inputs, context))
  const { board } = machine
  output('board', board.name)
  log.debug(qemuCommand(machine, install).join(' '))
  log.info(`${board.title}: ${board.fidelity}`)
  const { cpus, memoryMiB, accelerator } = machine
  record.note({ board: board.title, cpus, memoryMiB, accelerator, fidelity: [board.fidelity] })
  const serial = new SerialLog(journal.logs, board.uarts, stdout)
  const qemu = await phases.run('qemu', 'Start QEMU', () => startQemu(machine, install, journal))
  record.machine = { qemu, serial }
  tellAccess(machine, serial, context)
  const { gdb } = inputs.debugging
  if (gdb?.waits === true)
    await phases.run('gdb', `Wait for gdb on port ${gdb.port}`, () => waitForGdb(qemu, gdb, limitOf(inputs).limit, log))
  const started = Date.now()
  const ending = await phases.run('console', 'Serial console', () => {
    log.endGroup() // it is what the reader came for: not folded away
    return follow(inputs, qemu, serial)
  })
  // What we say next begins a line of its own: a workflow command has to.
  if (serial.unfinished.some(line => line !== '')) stdout(Buffer.from('\n'))
  tellAccess(machine, serial, context)
  const seconds = (Date.now() - started) / 1000
  await collect(inputs, { logs: journal.logs, record, log }, ending.kind !== 'matched')
  await phases.run('power-off', 'Switch the Pi off', () =>
    quitQemu(qemu, inputs.disks.length > 0 ? flushPatience : undefined)
  )
  return resultOf(ending, {
    expect: inputs.expect,
    seconds,
    tail: serial.tail(shownLines),
    found: diagnose(serial.tail(shownLines), ending.kind === 'late' ? Infinity : 0)?.row,
    log: serial.mainFile
  })
}

/** What is going to happen, in words, for the log. */
export function describeBare(inputs: Inputs): readonly string[] {
  const { board, kernel, initrd, dtb, disks, expect } = inputs
  return [
    'image: none, a bare kernel',
    `board: ${board === undefined ? '' : boards[board].title}`,
    `kernel: ${kernel ?? ''}`,
    ...(initrd === undefined ? [] : [`initramfs: ${initrd}`]),
    ...(dtb === undefined ? [] : [`device tree: ${dtb}`]),
    ...disks.map(({ path, format }) => `disk: ${path} (${format}), writable`),
    `ends: ${expect === undefined ? 'when the guest switches itself off' : `when the console shows ${String(expect)}`}, at most ${limitOf(inputs).limit / 1000} s`
  ]
}

/** Without a limit of its own, a kernel may take as long as an image's boot. */
function limitOf({ runTimeout, bootTimeout }: Inputs): { limit: number; input: 'run-timeout' | 'boot-timeout' } {
  return runTimeout === undefined
    ? { limit: bootTimeout, input: 'boot-timeout' }
    : { limit: runTimeout, input: 'run-timeout' }
}

async function makeMachine(inputs: Inputs, { journal, log }: Context): Promise<Machine> {
  const board = boardFor(inputs, undefined)
  const file = await inspectKernel(inputs.kernel ?? '')
  const faults = kernelFaults(board, file, inputs, Object.values(boards))
  if (faults.length > 0) throw new BadInput(faults)
  await checkDisks(inputs.disks)
  const architecture = architectureFor(board, file)
  const { machine, deviceTree } = planMachine({
    ...{ inputs, board, architecture, image: undefined, volumes: [], logs: journal.logs },
    clock: Date.now()
  })
  if (deviceTree !== undefined) {
    const notes = await makeDeviceTree({ ...deviceTree, to: join(journal.folder, runFiles.deviceTree) })
    for (const note of notes) log.info(note)
  }
  return machine
}

async function follow(inputs: Inputs, qemu: Qemu, serial: SerialLog): Promise<Ending> {
  const watch = new ConsoleWatch(inputs.expect)
  const { limit, input } = limitOf(inputs)
  const started = Date.now()
  let spoke = started
  const listen = (): void => {
    for (let parts = serial.read(); parts.length > 0; parts = serial.read()) {
      spoke = Date.now()
      for (const { finished } of parts) watch.see(finished)
    }
  }
  for (;;) {
    await sleep(watchInterval)
    listen()
    watch.seeUnfinished(serial.unfinished, Date.now() - spoke)
    const ended = !qemu.isAlive()
    if (watch.decided || ended) {
      await sleep(watch.matched === undefined ? lastWords : 0)
      listen()
      watch.see(serial.unfinished)
      return endingOf(watch, ended || !qemu.isAlive() ? qemu : undefined, inputs)
    }
    if (Date.now() - started > limit) return { kind: 'late', limit, input }
  }
}

/** @param ended QEMU, if it has ended */
function endingOf(watch: ConsoleWatch, ended: Qemu | undefined, { qemuArgs }: Inputs): Ending {
  const { matched, panic, off } = watch
  if (matched !== undefined) return { kind: 'matched', line: matched }
  if (panic !== undefined) return { kind: 'panic', line: panic }
  if (off !== undefined || ended?.qmp.shutdownReason?.startsWith('guest-') === true) return { kind: 'off' }
  const exit = ended?.exit() ?? 'status unknown'
  // With semihosting the guest ends QEMU itself, without an event, and chooses the status.
  const status = /^status (\d+)$/.exec(exit)?.[1]
  return qemuArgs.some(word => word.startsWith('-semihosting')) && status !== undefined
    ? { kind: 'off', status: Number(status) }
    : { kind: 'died', exit }
}
