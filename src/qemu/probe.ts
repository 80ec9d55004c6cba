import { tryTool } from '../host/exec'
import { readTitle, type QemuTitle } from './version'

/** A QEMU, and how to start it. */
export interface QemuInstall extends QemuTitle {
  /** Absolute path of what is started; for a private one that is its dynamic loader. */
  readonly program: string
  /** Arguments that come before all others. */
  readonly arguments: readonly string[]
  /** What is added to the environment. */
  readonly env: Readonly<Record<string, string>>
  readonly origin: 'host' | 'private' | 'path'
}

/** How a QEMU is started. */
export type Start = Pick<QemuInstall, 'program' | 'arguments' | 'env'>

/** What a program says of itself; undefined if that is not what a QEMU says. */
export async function askTitle({ program, arguments: first, env }: Start): Promise<QemuTitle | undefined> {
  const { code, stdout } = await tryTool(program, [...first, '--version'], { env, input: '' })
  return code === 0 ? readTitle(stdout) : undefined
}

/**
 * Asks a program which QEMU it is, and for its machines.
 * @throws HostFailure if it cannot be started
 */
export async function probe(
  start: Start
): Promise<{ readonly title: QemuTitle | undefined; readonly machines: ReadonlySet<string> }> {
  const title = await askTitle(start)
  if (title === undefined) return { title, machines: new Set() }
  const help = await tryTool(start.program, [...start.arguments, '-machine', 'help'], { env: start.env, input: '' })
  return { title, machines: machinesIn(help.stdout) }
}

/** Names in what `-machine help` prints. */
export function machinesIn(help: string): ReadonlySet<string> {
  return new Set(help.split('\n').flatMap(line => /^([a-z0-9][\w.-]*) {2,}\S/i.exec(line)?.[1] ?? []))
}
