import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { HostFailure, type FailureDetails } from '../../report/errors'
import type { Platform } from '../platforms'
import { withArticle } from './cpus'
import { locate } from './locate'
import type { Program } from './program'
import { describeIllegal } from './sigill'
import { passSignals, statusOf } from './signals'
import { canWatch, reach, watch, type Fault } from './watch'

export interface ExecRequest {
  readonly program: Program
  readonly args: readonly string[]
  readonly platform: Platform
  /** By QEMU's names. */
  readonly cpu: string
  /** Folder with the libraries, and whatever else the program is to find under full paths. */
  readonly sysroot: string | undefined
  /** The program's whole environment. */
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** Paths of the emulator, and of prlimit(1). */
  readonly tools: { readonly emulator: string; readonly prlimit: string }
  /** Whether to find out where a program gets SIGILL. */
  readonly locate: boolean
}

export interface ExecResult {
  /** The program's; 128 + N if signal N ended it. */
  readonly exitCode: number
  readonly signal: NodeJS.Signals | undefined
  /** Said of an end by a signal. */
  readonly verdict: FailureDetails | undefined
}

/**
 * Environment with which QEMU starts: by variables, so that programs which this one starts through a handler have the same
 * CPU and libraries.
 */
export function emulatorEnvironment({
  env,
  cpu,
  sysroot
}: Pick<ExecRequest, 'env' | 'cpu' | 'sysroot'>): NodeJS.ProcessEnv {
  const own = ['QEMU_CPU', 'QEMU_LD_PREFIX', 'QEMU_GDB']
  const rest = Object.fromEntries(Object.entries(env).filter(([name]) => !own.includes(name)))
  return { ...rest, QEMU_CPU: cpu, ...(sysroot !== undefined && { QEMU_LD_PREFIX: resolve(sysroot) }) }
}

/**
 * Runs a program in the emulator to its end: in the current folder, with our standard input and outputs.
 * @throws HostFailure if the emulator cannot be started
 */
export async function runProgram(request: ExecRequest): Promise<ExecResult> {
  const { program, args, platform, tools } = request
  const emulator = platform.emulator.name
  const watched = request.locate && canWatch(emulator)
  const folder = watched ? await mkdtemp(join(tmpdir(), 'pi-qemu-exec-')) : undefined
  const port = folder === undefined ? [] : ['-g', join(folder, 'gdb')]
  // QEMU would write a core of its own into the current folder.
  const limits = ['--core=0:', '--', tools.emulator]
  // A path that looks like an option is none.
  const path = program.path.startsWith('-') ? `./${program.path}` : program.path
  const child = spawn(tools.prlimit, [...limits, ...port, path, ...args], {
    stdio: 'inherit',
    env: emulatorEnvironment(request)
  })
  const stop = passSignals(child)
  let over = false
  const ended = new Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>(
    (done, failed) => {
      child.on('error', failed)
      child.on('exit', (code, signal) => {
        done({ code, signal })
      })
    }
  ).finally(() => {
    over = true
  })
  const faults =
    folder === undefined ? Promise.resolve([]) : observe(folder, child.pid ?? 0, emulator, () => over, ended)
  try {
    const { code, signal } = await ended
    return signal === null
      ? { exitCode: code ?? 0, signal: undefined, verdict: undefined }
      : { exitCode: statusOf(signal), signal, verdict: verdict(signal, await faults, request) }
  } catch (error) {
    throw new HostFailure(
      { symptom: `${tools.prlimit} could not be started: ${(error as Error).message}` },
      { cause: error }
    )
  } finally {
    stop()
    if (folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

/** The folder with the socket goes as soon as both sides have it, so that nothing is left if we are killed. */
async function observe(
  folder: string,
  pid: number,
  emulator: Platform['emulator']['name'],
  over: () => boolean,
  ended: Promise<unknown>
): Promise<readonly Fault[]> {
  const socket = await reach(join(folder, 'gdb'), over)
  await rm(folder, { recursive: true, force: true })
  if (socket === undefined) return []
  const seen = watch(socket, pid, emulator)
  seen.begin()
  await ended.catch(() => undefined)
  await seen.settled()
  socket.destroy()
  return seen.faults
}

function verdict(signal: NodeJS.Signals, faults: readonly Fault[], request: ExecRequest): FailureDetails {
  const { program, platform, cpu } = request
  if (signal !== 'SIGILL') return { symptom: `${program.path} was killed by ${signal}` }
  const found = locate(faults, { program: program.path, emulator: platform.emulator.name, cpu })
  if (found !== undefined) return describeIllegal(found)
  const sent = faults.length > 0
  return {
    symptom: `${program.path} was killed by SIGILL`,
    cause: sent
      ? 'the signal was sent, by the program itself or by another'
      : `it used an instruction that ${withArticle(cpu)} lacks, or the signal was sent; where, could not be seen`,
    remedy: request.locate || !canWatch(platform.emulator.name) ? undefined : '--locate shows where, in another run'
  }
}
