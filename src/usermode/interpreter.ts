import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { release } from 'node:os'
import { join } from 'node:path'
import { findTool, tryTool } from '../host/exec'
import type { Home } from '../host/paths'
import { ensureTools } from '../host/tools'
import type { QemuChoice } from '../inputs'
import { BadInput, HostFailure, messageOf } from '../report/errors'
import type { Log } from '../report/log'
import { staticEmulator, type Emulator } from './platforms'
import { presetCpu, presetVersion } from './preset'
import { privateEmulator, type PrivateEmulatorPlace } from './private'
import { directTest } from './self-test'

/** A program that the kernel can start for those of a platform. */
export interface Interpreter {
  /** Absolute. */
  readonly path: string
  /** `x.y.z` */
  readonly version: string
  readonly origin: 'host' | 'private' | 'path'
  /** What it shows to programs; undefined for all that it can. */
  readonly cpu: string | undefined
  /** Whether it can be told argv[0] apart from the program's path. */
  readonly keepsName: boolean
}

export interface InterpreterRequest {
  readonly emulator: Emulator
  readonly choice: QemuChoice
  /** Default CPU, or the one asked for. */
  readonly cpu: string | undefined
  /** Whether another will not do. */
  readonly isCpuAsked: boolean
}

export type InterpreterPlace = PrivateEmulatorPlace & { readonly home: Home; readonly log: Log }

type Origin = Interpreter['origin']

/** Where an emulator comes from, best first. */
export function origins({ kind }: QemuChoice): readonly Origin[] {
  return {
    auto: ['host', 'private'] as const,
    host: ['host'] as const,
    private: ['private'] as const,
    path: ['path'] as const
  }[kind]
}

/**
 * The first emulator, and CPU, with which a program of the platform runs. What did not work is told in the log.
 * @throws BadInput or HostFailure if none does
 */
export async function provideInterpreter(request: InterpreterRequest, place: InterpreterPlace): Promise<Interpreter> {
  const { emulator, choice, cpu, isCpuAsked } = request
  const faults: string[] = []
  for (const origin of origins(choice)) {
    let program: string
    try {
      program = await programOf(emulator, origin, choice, place)
    } catch (error) {
      if (origins(choice).length === 1) throw error
      faults.push(messageOf(error))
      continue
    }
    for (const model of new Set(isCpuAsked ? [cpu] : [cpu, undefined])) {
      const made = await withCpu(program, emulator, model, place.home)
      const fault =
        made === undefined ? `${program} cannot be given a CPU` : await directTest(made, emulator, place.scratch)
      if (isCpuAsked && /unable to find CPU model/.test(fault ?? '')) throw noSuchCpu(program, cpu)
      if (made === undefined || fault !== undefined) {
        faults.push(
          `${program}${model === undefined ? '' : ` with CPU ${model}`}: ${fault ?? 'it is built in a way not known here'}`
        )
        continue
      }
      for (const line of faults) place.log.warn(line)
      const version = await versionOf(program)
      return { path: made, version, origin, cpu: model, keepsName: keepsName(version, release()) }
    }
  }
  throw new HostFailure({
    symptom: `no emulator runs programs of ${emulator.name}:\n${faults.join('\n')}`,
    cause: 'the emulator is broken, or files of the folders named above may not be executed (noexec)',
    remedy: '`qemu: private` fetches another one; TMPDIR and PI_QEMU_HOME name the folders'
  })
}

function noSuchCpu(program: string, cpu = ''): BadInput {
  return new BadInput([
    `input \`qemu-cpu\` names “${cpu}”, which ${program} does not have; valid: what \`${program} -cpu help\` lists; for one platform of several: linux/arm64=cortex-a72`
  ])
}

async function programOf(
  emulator: Emulator,
  origin: Origin,
  choice: QemuChoice,
  place: InterpreterPlace
): Promise<string> {
  if (choice.kind === 'path') return choice.path
  if (origin === 'private') return privateEmulator(emulator, place)
  const name = staticEmulator(emulator)
  await ensureTools([name], place.log)
  return (await findTool(name)) ?? name
}

/** A program that shows the CPU by itself; kept, since it is the same for all runs. */
async function withCpu(
  program: string,
  emulator: Emulator,
  cpu: string | undefined,
  { emulators }: Home
): Promise<string | undefined> {
  if (cpu === undefined) return program
  const { size, mtimeMs } = await stat(program)
  const name = `qemu-${emulator.name}-${cpu.replaceAll(/[^\w.-]+/g, '_')}-${presetVersion}${size.toString(36)}${Math.trunc(mtimeMs).toString(36)}`
  const path = join(emulators, name)
  if (existsSync(path)) return path
  const changed = presetCpu(await readFile(program), cpu)
  if (changed === undefined) return undefined
  await mkdir(emulators, { recursive: true })
  const making = join(emulators, `.${name}-${process.pid}`)
  try {
    await writeFile(making, changed, { mode: 0o755 })
    await rename(making, path)
  } finally {
    await rm(making, { force: true })
  }
  return path
}

async function versionOf(program: string): Promise<string> {
  const { stdout } = await tryTool(program, ['--version'])
  return /version (\d+\.\d+\.\d+)/.exec(stdout)?.[1] ?? 'unknown'
}

/**
 * Whether argv[0] can be kept (flag P): kernels from 5.12 on tell the emulator that it was, in AT_FLAGS, and QEMU from
 * 6.0 on heeds it.
 */
export function keepsName(qemu: string, kernel: string): boolean {
  const [major = 0, minor = 0] = kernel.split('.').map(part => Number.parseInt(part, 10))
  return Number(qemu.split('.')[0]) >= 6 && (major > 5 || (major === 5 && minor >= 12))
}
