import { statSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { execute, ownStatus } from '../execute'
import { findTool, tryTool } from '../host/exec'
import { ensureTools } from '../host/tools'
import { BadInput, describeFailure, messageOf, ScriptFailure } from '../report/errors'
import type { Log } from '../report/log'
import { readPlatform, staticEmulator, type Platform } from '../usermode'
import { sysrootFolder } from '../user-mode'
import { builtForMore, checkLibraries, platformOf, readProgram, runProgram } from '../usermode/exec'

interface ExecFlags {
  readonly platform: Platform | undefined
  readonly sysroot: string | undefined
  readonly cpu: string | undefined
  readonly env: Readonly<Record<string, string>>
  /** Undefined: where it is likely to be needed. */
  readonly locate: boolean | undefined
  readonly program: string
  readonly args: readonly string[]
}

/** `pi-qemu exec`: runs a program of another platform on this host. Returns its status. */
export async function execCommand(argv: readonly string[], log: Log): Promise<number> {
  const flags = readFlags(argv)
  const { args } = flags
  const env = { ...process.env, ...flags.env }
  const program = readProgram(flags.program)
  const platform = platformOf(program, flags.platform)
  const sysroot = flags.sysroot === undefined ? undefined : await folderOf(flags.sysroot, log)
  const files = checkLibraries(program, sysroot, (env['LD_LIBRARY_PATH'] ?? '').split(':').filter(Boolean))
  const emulator = staticEmulator(platform.emulator)
  await ensureTools([emulator, 'prlimit'], log)
  const cpu = flags.cpu ?? platform.cpu ?? 'max'
  if (flags.cpu !== undefined) await checkCpu(emulator, cpu, platform)
  // Looking on can be noticed: only where it is likely that there will be something to see.
  const locate = flags.locate ?? builtForMore(files, cpu).length > 0
  const tools = { emulator: (await findTool(emulator)) ?? emulator, prlimit: (await findTool('prlimit')) ?? 'prlimit' }
  const { exitCode, signal, verdict } = await runProgram({ program, args, platform, cpu, sysroot, env, tools, locate })
  if (verdict !== undefined) log.error(describeFailure(new ScriptFailure(exitCode, signal, verdict)))
  return exitCode
}

/** The folder of `--sysroot`: as it is, or with the libraries of the image that it names. */
async function folderOf(text: string, log: Log): Promise<string> {
  if (statSync(text, { throwIfNoEntry: false })?.isDirectory() === true) return text
  let folder = ''
  // The program's own words are what the reader came for.
  const quiet: Log = {
    ...log,
    info: text => {
      log.debug(text)
    },
    group: () => undefined
  }
  const { failure } = await execute({
    raw: { mode: 'user', sysroot: text },
    ...{ env: process.env, workspace: process.cwd(), log: quiet, hasPost: false, keepLogs: 'on-failure' },
    output: () => undefined,
    work: async (inputs, context) => {
      if (inputs.sysroot !== undefined) folder = await sysrootFolder(inputs, inputs.sysroot, context)
      return { outcome: 'success', exitCode: 0, signal: undefined }
    }
  })
  // It is told already.
  if (failure !== undefined) process.exit(ownStatus.fault)
  return folder
}

const options = {
  platform: { type: 'string' },
  sysroot: { type: 'string' },
  cpu: { type: 'string' },
  env: { type: 'string', multiple: true },
  locate: { type: 'boolean' },
  'no-locate': { type: 'boolean' }
} as const

/**
 * Reads what is before `--`, and the program and its arguments behind it.
 * @throws BadInput
 */
export function readFlags(argv: readonly string[]): ExecFlags {
  const split = argv.indexOf('--')
  const [program, ...args] = split < 0 ? [] : argv.slice(split + 1)
  const values = (() => {
    try {
      return parseArgs({ args: argv.slice(0, split < 0 ? undefined : split), options, allowPositionals: false }).values
    } catch (error) {
      throw new BadInput([`\`pi-qemu exec\`: ${messageOf(error).split('. ')[0] ?? ''}; the program goes after \`--\``])
    }
  })()
  if (program === undefined || program === '')
    throw new BadInput(['`pi-qemu exec` needs a program after `--`, as in: pi-qemu exec -- ./program argument'])
  const { platform, sysroot, cpu, env = [] } = values
  return {
    platform: platform === undefined ? undefined : readPlatform('--platform', platform),
    ...{ sysroot, cpu, program, args },
    env: Object.fromEntries(env.map(variable)),
    locate: values['no-locate'] === true ? false : values.locate
  }
}

function variable(text: string): readonly [string, string] {
  const at = text.indexOf('=')
  if (at < 1) throw new BadInput([`\`--env\` is \`${text}\`; valid is NAME=VALUE`])
  return [text.slice(0, at), text.slice(at + 1)]
}

/** QEMU knows its CPUs; switches follow a comma. */
async function checkCpu(emulator: string, cpu: string, { name }: Platform): Promise<void> {
  const { stdout } = await tryTool(emulator, ['-cpu', 'help'])
  const known = stdout.split('\n').flatMap(line => /^ {2}(\S+)/.exec(line)?.[1] ?? [])
  if (known.length === 0 || known.includes(cpu.replace(/,.*/, ''))) return
  throw new BadInput([`\`--cpu\` is \`${cpu}\`, which is no CPU of ${name}; valid: ${known.join(', ')}`])
}
