import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import type { Home } from '../host/paths'
import { parseInputs, type RawInputs } from '../inputs'
import { BadInput, messageOf } from '../report/errors'
import type { Log } from '../report/log'
import {
  describeProvided,
  ofPis,
  ownPrefix,
  platforms,
  provideHandlers,
  registeredHandlers,
  takes,
  withdrawHandlers,
  type Handler
} from '../usermode'

/** What tells handlers that were installed from a terminal from those of a run. */
const terminal = 'host'

interface Place {
  readonly print: (line: string) => void
  readonly log: Log
  readonly home: Home
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

async function install(args: readonly string[], { print, log, home }: Place): Promise<number> {
  const values = read(args, {
    platforms: { type: 'string' },
    setuid: { type: 'boolean' },
    'qemu-cpu': { type: 'string', multiple: true },
    qemu: { type: 'string' }
  }) as Readonly<Record<'platforms' | 'qemu', string | undefined>> & { 'qemu-cpu'?: readonly string[]; setuid?: true }
  const raw: RawInputs = {
    mode: 'user',
    platforms: values.platforms ?? '',
    qemu: values.qemu ?? '',
    setuid: String(values.setuid === true),
    'qemu-cpu': values['qemu-cpu']?.join('\n') ?? ''
  }
  const inputs = parseInputs(raw, { env: process.env, workspace: process.cwd() })
  const scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-binfmt-'))
  try {
    const request = {
      ...{ id: terminal, wanted: inputs.platforms ?? ofPis, choice: inputs.qemu, models: inputs.qemuCpu },
      setuid: inputs.setuid
    }
    const place = { home, scratch, id: terminal, log, announce: () => undefined }
    for (const row of await provideHandlers(request, place)) print(describeProvided(row))
    return 0
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function restore(args: readonly string[], { print }: Place): Promise<number> {
  read(args, {})
  const gone = await withdrawHandlers()
  print(gone.length === 0 ? 'no handler is ours' : `removed ${gone.join(', ')}`)
  return 0
}
