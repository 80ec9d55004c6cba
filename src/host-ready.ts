import type { Board } from './boards'
import type { Context } from './context'
import { ensureTools, hasVersion, toolVersion, type ToolName } from './host/tools'
import type { Inputs } from './inputs'
import { toolsFor } from './plan'
import { provideQemu, type QemuInstall } from './qemu'
import type { Log } from './report/log'
import type { Beside } from './report/phases'

/** A QEMU on its way. */
export interface ComingQemu {
  /** Resolves once it is known which it will be; rejects if there is none for the board. */
  readonly certain: Promise<unknown>
  /** Waits until it is there. */
  readonly done: Beside<QemuInstall>
}

/** The QEMU for a board, looked for and installed beside other work. */
export function qemuBeside(inputs: Inputs, board: Board, context: Context): ComingQemu {
  let tell: () => void = () => undefined
  const told = new Promise<void>(resolve => {
    tell = resolve
  })
  const done = context.phases.beside('qemu-ready', 'QEMU ready', log =>
    provideQemu(inputs.qemu, board, { ...context, log }, tell)
  )
  // Waiting for it would show its part of the log: only a failure counts here.
  return { certain: Promise.race([told, done.outcome]), done }
}

/** The QEMU for a board. */
export async function readyQemu(inputs: Inputs, board: Board, context: Context): Promise<QemuInstall> {
  const install = await context.phases.run('qemu-ready', 'QEMU ready', () => provideQemu(inputs.qemu, board, context))
  context.output('qemu-version', install.version)
  return install
}

/** The programs that a run needs, installed beside other work if they are missing; apt does one thing at a time. */
export function toolsBeside(inputs: Inputs, context: Context, after: ComingQemu | undefined): Beside<void> {
  return context.phases.beside('tools', 'Tools of the host', async log => {
    await after?.done.outcome.catch(() => undefined)
    await ensure(inputs, context, log)
  })
}

/** The programs that a run needs, installed if they are missing. */
export async function readyTools(inputs: Inputs, context: Context): Promise<void> {
  await context.phases.run('tools', 'Tools of the host', () => ensure(inputs, context, context.log))
}

async function ensure(inputs: Inputs, { shared }: Context, log: Log): Promise<void> {
  const forCache: readonly ToolName[] = shared === undefined || inputs.image.kind === 'none' ? [] : ['zstd']
  const needed = [...new Set([...toolsFor(inputs), ...forCache])]
  await ensureTools(needed, log)
  // Asking takes a quarter of a second, which without a boot is a good part of the whole.
  if (inputs.mode === 'user') return
  const versions = await Promise.all(needed.filter(hasVersion).map(toolVersion))
  for (const line of versions) log.info(line)
}

/** Work that is pointless once other work, going on beside it, has failed. */
export async function unlessFailing<T>(
  others: readonly ({ readonly outcome: Promise<unknown> } | undefined)[],
  work: Promise<T>
): Promise<T> {
  work.catch(() => undefined) // if it is left behind, it ends with the run's processes
  const failures = others.flatMap(other =>
    other === undefined ? [] : [other.outcome.then(() => new Promise<never>(() => undefined))]
  )
  return Promise.race([work, ...failures])
}
