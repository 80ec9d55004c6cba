import { existsSync, readdirSync } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findTool, tryTool } from '../host/exec'
import { isRoot } from '../host/tools'
import { HostFailure } from '../report/errors'
import { binfmtScript, refused } from './binfmt-script'
import { handlerLine, ownPrefix, readHandler, type Handler } from './handler'
import type { Interpreter } from './interpreter'
import type { Emulator } from './platforms'

/** Where the kernel shows its handlers. */
const folder = '/proc/sys/fs/binfmt_misc'
/** Where the host's state before us is noted: gone with a reboot, as the handlers are. */
const note = '/run/pi-qemu-binfmt'

export interface Handlers {
  readonly mounted: boolean
  /** Whether any is used at all. */
  readonly enabled: boolean
  readonly handlers: readonly Handler[]
}

/** What is registered on this host. */
export async function registeredHandlers(): Promise<Handlers> {
  if (!existsSync(join(folder, 'register'))) return { mounted: false, enabled: false, handlers: [] }
  const names = (await readdir(folder)).filter(name => !['register', 'status'].includes(name)).sort()
  const handlers = await Promise.all(
    names.map(async name => readHandler(name, await readFile(join(folder, name), 'utf8')))
  )
  return { mounted: true, enabled: (await readFile(join(folder, 'status'), 'utf8')).trim() === 'enabled', handlers }
}

export interface RegisterRequest {
  /** Tells the entries of this run from those of others: several may be there at once. */
  readonly id: string
  readonly handlers: readonly { readonly emulator: Emulator; readonly interpreter: Interpreter }[]
  readonly setuid: boolean
}

/** Whether a run's handlers are there. */
export function hasHandlers(id: string): boolean {
  return existsSync(folder) && readdirSync(folder).some(name => name.startsWith(`${ownPrefix}${id}-`))
}

/** Name of an entry. */
export const handlerName = (id: string, { name }: Emulator): string => `${ownPrefix}${id}-${name}`

/**
 * Registers handlers of our own; the newest match wins, so that others stay as they are. binfmt_misc is mounted, and
 * switched on, where it is not. All is noted first, for {@link withdrawHandlers}.
 * @throws HostFailure if the host does not allow it
 */
export async function registerHandlers({ id, handlers, setuid }: RegisterRequest): Promise<void> {
  const rows = handlers.flatMap(({ emulator, interpreter: { path, keepsName } }) => {
    const name = handlerName(id, emulator)
    return [name, handlerLine({ name, elf: emulator.elf, interpreter: path, setuid, keepsName })]
  })
  try {
    await asRoot('register', rows)
  } catch (error) {
    // All or none.
    await withdrawHandlers(id).catch(() => undefined)
    throw error
  }
}

/**
 * Removes the handlers of an id, or all that are ours. With the last of them, binfmt_misc is unmounted and switched off
 * where it was. Harmless where there is nothing.
 * @returns the names of what went
 */
export async function withdrawHandlers(id?: string): Promise<readonly string[]> {
  const { handlers } = await registeredHandlers()
  const prefix = id === undefined ? ownPrefix : `${ownPrefix}${id}-`
  const names = handlers.map(({ name }) => name).filter(name => name.startsWith(prefix))
  if (names.length > 0 || existsSync(note)) await asRoot('withdraw', names)
  return names
}

async function asRoot(what: 'register' | 'withdraw', args: readonly string[]): Promise<void> {
  const sudo = isRoot() ? [] : ['sudo', '-n']
  const [program = '', ...rest] = [...sudo, 'sh', '-c', binfmtScript, 'binfmt', what, folder, note, ...args]
  if ((await findTool(program)) === undefined)
    throw new HostFailure({ symptom: `handlers need root, and this host has no ${program}` })
  const { code, stderr } = await tryTool(program, rest)
  if (code === 0) return
  throw new HostFailure({
    symptom: `the handlers could not be changed (status ${code}): ${stderr.trim()}`,
    cause:
      code === refused
        ? 'this is a container, or a kernel without binfmt_misc (CONFIG_BINFMT_MISC)'
        : sudo.length > 0 && /password|sudo:/.test(stderr)
          ? 'sudo is not allowed without a password'
          : undefined,
    remedy: 'run it as root on a host or virtual machine'
  })
}
