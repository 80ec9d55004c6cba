import type { QemuChoice } from '../inputs'
import { BadInput, HostFailure } from '../report/errors'
import { registeredHandlers, registerHandlers, withdrawHandlers } from './binfmt'
import { takes } from './handler'
import { provideInterpreter, type Interpreter, type InterpreterPlace } from './interpreter'
import { withArticle } from './exec/cpus'
import {
  cpuOf,
  emulatorsFor,
  staticEmulator,
  type CpuModels,
  type Emulator,
  type Platform,
  type WantedPlatforms
} from './platforms'
import { ensureTools, missingTools } from '../host/tools'
import { selfTest } from './self-test'

export interface HandlersRequest {
  /** Tells the handlers of this run from those of others. */
  readonly id: string
  readonly wanted: WantedPlatforms
  readonly choice: QemuChoice
  readonly models: CpuModels
  readonly setuid: boolean
}

/** An emulator, and what runs its programs: nothing but the host itself, or a handler of ours. */
export interface Provided {
  readonly emulator: Emulator
  readonly interpreter: Interpreter | undefined
}

/** The emulators that some platforms need here, each with a program that works. */
export async function provideInterpreters(
  { wanted, choice, models }: Omit<HandlersRequest, 'id' | 'setuid'>,
  place: InterpreterPlace
): Promise<readonly Provided[]> {
  const needed = emulatorsFor(wanted.rows)
  if (choice.kind === 'path' && needed.length > 1) {
    const names = needed.map(({ name }) => name).join(', ')
    throw new BadInput([
      `input \`qemu\` names one emulator, and \`platforms\` need several (${names}); valid: auto, host, private`
    ])
  }
  const native = new Set<Emulator>()
  for (const emulator of needed) if (await isNative(emulator, place.scratch)) native.add(emulator)
  const emulated = needed.filter(emulator => !native.has(emulator))
  // One installation for all. If it fails, each says so that has no other emulator.
  if (choice.kind === 'auto' || choice.kind === 'host')
    await ensureTools(emulated.slice(0, 1).map(staticEmulator), place.log).catch(() => undefined)
  const missing = wanted.asFarAsPossible ? await missingTools(emulated.map(staticEmulator)) : []
  return Promise.all(
    needed
      .filter(emulator => !missing.includes(staticEmulator(emulator)))
      .map(async emulator => {
        if (native.has(emulator)) return { emulator, interpreter: undefined }
        const isAsked = ({ name, emulator: own }: Platform): boolean =>
          own === emulator && (models[name] ?? models['']) !== undefined
        const request = {
          emulator,
          choice,
          cpu: cpuOf(emulator, wanted.rows, models),
          isCpuAsked: wanted.rows.some(isAsked)
        }
        return { emulator, interpreter: await provideInterpreter(request, place) }
      })
  )
}

/** Whether this host's CPU runs the programs, where that differs between hosts of its kind. */
async function isNative(emulator: Emulator, scratch: string): Promise<boolean> {
  if (emulator.maybeNative !== process.arch) return false
  const { handlers, enabled } = await registeredHandlers()
  if (enabled && handlers.some(handler => handler.enabled && takes(handler, emulator.elf))) return false
  return (await selfTest(emulator, scratch)) === undefined
}

/**
 * Registers handlers for platforms on this host, each tried at once with a real program of its platform.
 * The caller has noted `id` for {@link withdrawHandlers}.
 * @throws BadInput or HostFailure; then none is registered
 */
export async function provideHandlers(request: HandlersRequest, place: InterpreterPlace): Promise<readonly Provided[]> {
  const { id, setuid } = request
  const provided = await provideInterpreters(request, place)
  const needed = provided.flatMap(({ emulator, interpreter }) =>
    interpreter === undefined ? [] : [{ emulator, interpreter }]
  )
  if (needed.length === 0) return provided
  await registerHandlers({ id, handlers: needed, setuid })
  const faults: string[] = []
  for (const { emulator, interpreter } of needed) {
    const fault = await selfTest(emulator, place.scratch)
    if (fault !== undefined) faults.push(`${interpreter.path} does not run a program of ${emulator.name}: ${fault}`)
  }
  if (faults.length === 0) return provided
  await withdrawHandlers(id)
  throw new HostFailure({
    symptom: faults.join('; '),
    cause: 'files in the temporary folder may not be executed (noexec), or the kernel did not take the handler',
    remedy: 'set TMPDIR to another folder, or see `pi-qemu binfmt status`'
  })
}

/** A line for the log. */
export function describeProvided({ emulator, interpreter }: Provided): string {
  if (interpreter === undefined) return `${emulator.name}: this host's own CPU`
  const { path, version, origin, cpu } = interpreter
  const from = { host: "the host's", private: 'private', path }[origin]
  return `${emulator.name}: QEMU ${version}, ${from}, ${cpu === undefined ? 'with all that it can' : `as ${withArticle(cpu)}`}`
}
