import { release } from 'node:os'
import type { Context } from './context'
import type { Inputs, Sysroot } from './inputs'
import type { PreparedImage } from './images'
import { caveats, platformsFor, runInRootfs, type Emulation } from './rootfs'
import type { Result } from './run'
import { sysrootOf } from './sysroot'
import {
  describeProvided,
  ofPis,
  provideHandlers,
  provideInterpreters,
  rightsHere,
  type InterpreterPlace,
  type Provided,
  type Rights,
  type WantedPlatforms
} from './usermode'
import { buildImage } from './usermode/build'
import { runInContainer } from './usermode/container'

/** Whether a run only makes this host able to run programs of other platforms, for the steps that follow. */
export function isOnlyHandlers({ mode, run, saveImage, build }: Inputs): boolean {
  return mode === 'user' && run === undefined && saveImage === undefined && build === undefined
}

/** A run in user mode, phase by phase. The caller tears down, whatever happens here. */
export async function runUserMode(inputs: Inputs, context: Context): Promise<Result> {
  context.record.note({ kernel: `${release()}, the host's`, fidelity: caveats })
  const provide = (wanted: WantedPlatforms): Promise<readonly Provided[]> => handlersOnHost(inputs, wanted, context)
  if (inputs.container !== undefined)
    return runInContainer(inputs, context, row => provide({ rows: [row], asFarAsPossible: false }))
  if (inputs.build !== undefined) return buildImage(inputs, context, provide)
  if (!isOnlyHandlers(inputs)) return runInRootfs(inputs, image => emulationFor(inputs, image, context), context)
  const { sysroot } = inputs
  if (sysroot !== undefined) context.output('sysroot', await sysrootFolder(inputs, sysroot, context))
  await provide(inputs.platforms ?? ofPis)
  context.journal.record({ kind: 'kept' })
  return { outcome: 'success', exitCode: 0, signal: undefined }
}

/** The folder of a sysroot: the user's own, or one with what an image has. */
export function sysrootFolder(inputs: Inputs, sysroot: Sysroot, context: Context): Promise<string> {
  if (sysroot.kind === 'folder') return Promise.resolve(sysroot.path)
  return sysrootOf({ ...inputs, image: sysroot.image }, image => emulationFor(inputs, image, context), context)
}

/** How the programs of an image are run here: by emulators that are known to none but the run, where that is possible. */
function emulationFor(inputs: Inputs, { architecture }: PreparedImage, context: Context): Emulation {
  const wanted = platformsFor(architecture, inputs.platforms)
  const { qemu: choice, qemuCpu: models } = inputs
  let provided: Promise<readonly Provided[]> | undefined
  let rights: Promise<Rights> | undefined
  return {
    isPrivate: true,
    rights: () => (rights ??= rightsHere()),
    provided: () =>
      (provided ??= context.phases.run('emulators', 'Emulators for its programs', async () => {
        const found = await provideInterpreters({ wanted, choice, models }, interpreterPlace(context))
        tell(wanted, found, context)
        return found
      })),
    onHost: () => handlersOnHost(inputs, wanted, context)
  }
}

function tell(wanted: WantedPlatforms, provided: readonly Provided[], { log, output }: Context): void {
  for (const row of provided) log.info(describeProvided(row))
  const [first] = provided.flatMap(({ interpreter }) => interpreter?.version ?? [])
  if (first !== undefined) output('qemu-version', first)
  output('platforms', runnable(wanted, provided).join(','))
}

/** Registers handlers on this host, until the run is torn down. */
export async function handlersOnHost(
  { qemu, qemuCpu, setuid }: Pick<Inputs, 'qemu' | 'qemuCpu' | 'setuid'>,
  wanted: WantedPlatforms,
  context: Context
): Promise<readonly Provided[]> {
  const { journal, phases } = context
  return phases.run('handlers', 'Handlers in binfmt_misc', async () => {
    journal.record({ kind: 'handlers', id: journal.id })
    const request = { id: journal.id, wanted, choice: qemu, models: qemuCpu, setuid }
    const provided = await provideHandlers(request, interpreterPlace(context))
    tell(wanted, provided, context)
    return provided
  })
}

/** What a run gives to those who look for emulators. */
export function interpreterPlace({ home, journal, log }: Context): InterpreterPlace {
  const announce = (path: string): void => {
    journal.record({ kind: 'partial', path })
  }
  return { home, scratch: journal.folder, id: journal.id, log, announce }
}

/** Docker's names of hosts, with what they run by themselves. */
const ownPlatforms: Readonly<Partial<Record<NodeJS.Architecture, readonly string[]>>> = {
  x64: ['linux/amd64', 'linux/386'],
  arm64: ['linux/arm64'],
  arm: ['linux/arm/v7', 'linux/arm/v6']
}

/** Platforms whose programs run on this host now, its own first. */
export function runnable(
  wanted: WantedPlatforms,
  provided: readonly Provided[],
  host: NodeJS.Architecture = process.arch
): readonly string[] {
  const emulated = wanted.rows.filter(row => provided.some(({ emulator }) => emulator === row.emulator))
  return [...new Set([...(ownPlatforms[host] ?? []), ...emulated.map(({ name }) => name)])]
}
