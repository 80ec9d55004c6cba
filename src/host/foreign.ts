import { spawn } from 'node:child_process'
import { release } from 'node:os'
import type { Architecture } from '../boards'
import { HostFailure } from '../report/errors'
import { findTool, toolFailure, tryTool } from './exec'
import { privateNamespace, refusedStatus } from './foreign-scripts'
import { emulatorsFor, handlerLine, platformOfImages, staticEmulator } from '../usermode'
import { goingOn } from './going-on'
import { runMarker } from './processes'
import { isRoot, type ToolName } from './tools'

/** Emulator that this host needs for programs of an architecture; undefined where it runs them itself. */
export function emulatorFor(
  architecture: Architecture,
  host: NodeJS.Architecture = process.arch
): ToolName | undefined {
  const [needed] = emulatorsFor([platformOfImages[architecture]], host)
  return needed && staticEmulator(needed)
}

/** The handler of an architecture; setuid programs (`sudo`, say) work with it, since nobody else has it. */
export function binfmtLine(architecture: Architecture, emulator: string): string {
  const { elf } = platformOfImages[architecture].emulator
  return handlerLine({ name: `pi-qemu-${architecture}`, elf, interpreter: emulator, setuid: true })
}

export interface NamespaceRequest {
  /** Whose programs have to run in it; undefined if only the host's do. */
  readonly architecture?: Architecture
  /** An empty folder: inside it holds a memory file system, which goes away with the namespace. */
  readonly scratch: string
  readonly command: readonly string[]
  /** Called with each line on standard error. */
  readonly onLine?: (line: string) => void
}

/** Kernels from this on keep binfmt_misc apart for each user namespace. */
const privateSince = [6, 7] as const

/** Whether a kernel (`uname -r`) can keep a handler to one namespace. */
export function keepsHandlersApart(kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(part => Number.parseInt(part, 10))
  return major > privateSince[0] || (major === privateSince[0] && minor >= privateSince[1])
}

/**
 * Runs a command as root of namespaces of its own, in which programs of another architecture can be executed. Users are
 * numbered as on the host, so that files get their right owners. The host's binfmt_misc is never touched, and nothing
 * of it is left however this process ends. As another user than root it takes `sudo` without a password.
 * @throws HostFailure if the host does not allow it, or the command fails
 */
export async function inNamespace(request: NamespaceRequest): Promise<string> {
  const { architecture, scratch, command, onLine } = request
  const emulator = architecture && emulatorFor(architecture)
  if (emulator !== undefined && !keepsHandlersApart(release())) {
    throw new HostFailure({
      symptom: `this host's kernel ${release()} cannot run ${architecture ?? ''} programs without a change to the host`,
      cause: `handlers of binfmt_misc are private to a user namespace from Linux ${privateSince.join('.')} on`,
      remedy: 'build on a newer host (ubuntu-24.04 has such a kernel), or give a ready image as a file or URL'
    })
  }
  const handler =
    architecture === undefined || emulator === undefined ? '' : binfmtLine(architecture, await path(emulator))
  const environment = {
    // What a run starts carries its marker; sudo would drop it.
    [runMarker]: process.env[runMarker] ?? '',
    PATH: process.env['PATH'] ?? '',
    LC_ALL: 'C.UTF-8',
    TMPDIR: scratch,
    DEBIAN_FRONTEND: 'noninteractive',
    ...(architecture !== undefined && emulator !== undefined && { QEMU_CPU: platformOfImages[architecture].cpu })
  }
  const assignments = Object.entries(environment).map(([name, value]) => `${name}=${value}`)
  const [program = '', ...args] = [
    ...(isRoot() ? [] : ['sudo', '-n', ...keepingProxies()]),
    ...['env', ...assignments, 'bash', '-c', privateNamespace, 'namespace', handler, scratch],
    ...command
  ]
  const { code, stdout, stderr } = await held(await path(program), args, onLine)
  if (code === 0) return stdout
  if (code !== refusedStatus) throw toolFailure(command[0] ?? '', command.slice(1), code, stderr || stdout)
  throw new HostFailure({
    symptom: `a private namespace cannot be set up: ${stderr.trim()}`,
    cause: 'this host or container does not allow new user namespaces, or mounts in them',
    remedy: 'run directly on a host or virtual machine, or give a ready image as a file or URL'
  })
}

/** sudo would drop the host's proxies; named and not repeated, since their addresses may have passwords in them. */
function keepingProxies(): readonly string[] {
  const names = ['http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
  const set = names.filter(name => process.env[name])
  return set.length === 0 ? [] : [`--preserve-env=${set.join(',')}`]
}

async function path(name: string): Promise<string> {
  const found = await findTool(name)
  if (found === undefined) await tryTool(name, []) // says so
  return found ?? name
}

/** Runs a program whose standard input stays open until it ends: if we die before, it learns of it. */
async function held(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void = () => undefined
): Promise<{ code: number; stdout: string; stderr: string }> {
  await goingOn()
  const result = await toItsEnd(program, args, onLine)
  await goingOn()
  return result
}

function toItsEnd(
  program: string,
  args: readonly string[],
  onLine: (line: string) => void
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let stdout = ''
    let stderr = ''
    let rest = ''
    child.stdin.on('error', () => undefined)
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      const lines = (rest + text).split('\n')
      rest = lines.pop() ?? ''
      lines.forEach(onLine)
    })
    child.on('error', error => {
      reject(new HostFailure({ symptom: `${program} could not be started: ${error.message}` }, { cause: error }))
    })
    child.on('close', code => {
      resolve({ code: code ?? 128, stdout, stderr })
    })
  })
}
