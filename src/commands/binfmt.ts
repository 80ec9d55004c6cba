import { tmpdir } from 'node:os'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { findTool } from '../host/exec'
import { ensureTools } from '../host/tools'
import { BadInput, HostFailure, messageOf } from '../report/errors'
import type { Log } from '../report/log'
import {
  emulatorsFor,
  ownPrefix,
  platforms,
  readPlatforms,
  registeredHandlers,
  registerHandlers,
  selfTest,
  staticEmulator,
  takes,
  withdrawHandlers,
  type Emulator,
  type Handler
} from '../usermode'

/** What tells handlers that were installed from a terminal from those of a run. */
const terminal = 'host'

interface Place {
  readonly print: (line: string) => void
  readonly log: Log
}

const actions: Readonly<Record<string, (args: readonly string[], place: Place) => Promise<number>>> = {
  status,
  install,
  restore
}

/** `pi-qemu binfmt status|install|restore` */
export function binfmtCommand([name, ...args]: readonly string[], place: Place): Promise<number> {
  const action = name === undefined || !Object.hasOwn(actions, name) ? undefined : actions[name]
  if (action === undefined) {
    throw new BadInput([
      `\`pi-qemu binfmt\` does not know ${name === undefined ? 'what to do' : `“${name}”`}; valid: ${Object.keys(actions).join(', ')}`
    ])
  }
  return action(args, place)
}

function read(args: readonly string[], options: NonNullable<ParseArgsConfig['options']>): object {
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values
  } catch (error) {
    throw new BadInput([messageOf(error)])
  }
}

/** A line for each handler, with what of ours or of others it is, and the platforms whose programs it takes. */
async function status(args: readonly string[], { print }: Place): Promise<number> {
  read(args, {})
  const { mounted, enabled, handlers } = await registeredHandlers()
  print(`binfmt_misc: ${mounted ? (enabled ? 'mounted' : 'mounted, switched off') : 'not mounted'}`)
  for (const handler of handlers) print(describe(handler))
  return 0
}

function describe(handler: Handler): string {
  const taken = platforms.filter(({ emulator }) => takes(handler, emulator.elf)).map(({ name }) => name)
  return [
    handler.name.padEnd(24),
    handler.enabled ? 'enabled ' : 'disabled',
    handler.name.startsWith(ownPrefix) ? 'ours  ' : 'theirs',
    `${handler.interpreter} (${handler.flags || 'no flags'})`,
    taken.join(', ')
  ]
    .join(' ')
    .trimEnd()
}

async function install(args: readonly string[], { print, log }: Place): Promise<number> {
  const { platforms: list = 'linux/arm64,linux/arm/v7', setuid = false } = read(args, {
    platforms: { type: 'string' },
    setuid: { type: 'boolean' }
  }) as { readonly platforms?: string; readonly setuid?: boolean }
  const emulators = emulatorsFor(readPlatforms(list))
  if (emulators.length === 0) {
    print('this host runs programs of these platforms itself')
    return 0
  }
  const names = emulators.map(staticEmulator)
  await ensureTools(names, log)
  const paths = new Map<string, string>()
  for (const [at, emulator] of emulators.entries()) {
    const path = await findTool(names[at] ?? '')
    if (path !== undefined) paths.set(emulator.name, path)
  }
  const interpreter = ({ name }: Emulator): string => paths.get(name) ?? ''
  await registerHandlers({ id: terminal, emulators, setuid, interpreter })
  const faults: string[] = []
  for (const emulator of emulators) {
    const fault = await selfTest(emulator, tmpdir())
    if (fault === undefined) print(`${emulator.name}: ${interpreter(emulator)}, tried with a program`)
    else faults.push(`${interpreter(emulator)} does not run a program of ${emulator.name}: ${fault}`)
  }
  if (faults.length === 0) return 0
  await withdrawHandlers(terminal)
  throw new HostFailure({
    symptom: faults.join('; '),
    cause: 'the emulator is broken, or files in the temporary folder may not be executed (noexec)',
    remedy: 'install qemu-user-static anew, or set TMPDIR to another folder'
  })
}

async function restore(args: readonly string[], { print }: Place): Promise<number> {
  read(args, {})
  const gone = await withdrawHandlers()
  print(gone.length === 0 ? 'no handler is ours' : `removed ${gone.join(', ')}`)
  return 0
}
