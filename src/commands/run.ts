import { spawn } from 'node:child_process'
import { execute, type Report, type Request } from '../execute'
import { withPassword } from './arguments'
import { consoleSession } from './console'
import { shellQuote, sshHost } from '../guest'
import type { Inputs, RawInputs } from '../inputs'
import { logsOf } from '../journal'
import type { Log } from '../report/log'
import { BadInput } from '../report/errors'
import { bootPi, leave, type Context } from '../boot'

export interface Terminal {
  readonly raw: RawInputs
  readonly log: Log
}

/** What `demo` runs unless told otherwise. */
const demoScript = `printf 'This is a %s\\n' "$(tr -d '\\0' < /proc/device-tree/model)"
uname -a
echo "$(nproc) CPUs, $(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo) MiB of memory"
`

/** `pi-qemu run`: the action's main and post in one. Returns the status to exit with. */
export async function runCommand({ raw, log }: Terminal): Promise<number> {
  const known = new Map<string, string>()
  const report = await onTerminal({ raw, log, known })
  const stays = raw.mode === 'user' && [raw.run, raw.build, raw['save-image']].every(input => !input)
  if (stays && report.failure === undefined)
    log.info(`Programs of ${known.get('platforms') ?? ''} run on this host, until: pi-qemu stop`)
  else conclude(report, log)
  if (raw['keep-running'] === 'true' && report.failure === undefined) {
    log.info(`The Pi stays up: ssh -F ${known.get('ssh-config') ?? ''} ${sshHost}`)
    log.info('Switch it off with: pi-qemu stop')
  }
  return report.exitCode
}

/** `pi-qemu demo`: a run with defaults that show what this is about. */
export async function demoCommand({ raw, log }: Terminal): Promise<number> {
  log.info('Booting a Raspberry Pi 3 in QEMU, on a small image that is built here from Debian packages.')
  return runCommand({ raw: { image: 'mini-arm64', board: 'raspi3b', sync: 'none', run: demoScript, ...raw }, log })
}

/** `pi-qemu shell`: an interactive session instead of a script. */
export async function shellCommand({ raw, log }: Terminal): Promise<number> {
  const session = async (
    inputs: Inputs,
    context: Context
  ): Promise<Pick<Report, 'outcome' | 'exitCode' | 'signal'>> => {
    if (inputs.image.kind === 'none')
      throw new BadInput(['`shell` needs an image; with `--image none` use `run`, whose result is the serial output'])
    const pi = await bootPi({ ...inputs, run: undefined }, context)
    const start =
      pi.workspace === undefined ? [] : [`cd ${shellQuote(pi.workspace.path)} && exec "\${SHELL:-/bin/sh}" -l`]
    const exitCode = await new Promise<number>((resolve, reject) => {
      spawn('ssh', ['-F', pi.sshConfig, '-t', sshHost, ...start], { stdio: 'inherit' })
        .on('error', reject)
        .on('close', code => {
          resolve(code ?? 255)
        })
    })
    await leave(pi, inputs, context.log)
    return { outcome: 'success', exitCode, signal: undefined }
  }
  // A shell is for looking around: the host's folder is there, and stays as it is.
  const report = await onTerminal({ raw: { sync: 'in', ...raw, 'keep-running': 'false' }, log, work: session })
  return report.exitCode
}

/** `pi-qemu console`: the serial console instead of a script. */
export async function consoleCommand({ raw, log }: Terminal): Promise<number> {
  const own = { sync: 'none', ...raw, 'keep-running': 'false' } as const
  return (await onTerminal({ raw: own, log, work: consoleSession })).exitCode
}

/** What of a run a command of the terminal decides. */
type TerminalRun = Terminal &
  Pick<Request, 'work' | 'onSignal'> & {
    /** Filled with the outputs. */
    readonly known?: Map<string, string>
  }

/** A run whose words go to the terminal, and whose workspace is the current folder. */
export async function onTerminal({
  raw,
  log,
  known = new Map<string, string>(),
  ...own
}: TerminalRun): Promise<Report> {
  let folder = ''
  const report = await execute({
    ...{ log, keepLogs: 'on-failure', hasPost: false, env: process.env, workspace: process.cwd(), ...own },
    raw: withPassword(raw, process.env),
    started: path => (folder = path),
    output: (name, value) => {
      known.set(name, value)
      log.debug(`${name}: ${value}`)
    }
  })
  if (report.failure !== undefined && known.has('serial-log')) log.info(`logs: ${logsOf(folder)}`)
  return report
}

/** Says how a run ended, where it did not fail: then that was said. */
export function conclude({ outcome, exitCode, signal, verdict, failure, hint, phases }: Report, log: Log): void {
  if (failure !== undefined) return
  if (verdict !== undefined) {
    if (outcome === 'success') log.info(verdict)
    else log.error(verdict)
    return
  }
  const how = signal === undefined ? `ended with status ${exitCode}` : `was killed by SIG${signal}`
  const booted = phases.timings.find(({ name }) => name === 'boot')
  log.info(
    outcome === 'timeout'
      ? 'The script ran longer than --run-timeout, and was ended'
      : `The script ${how}; ${phases.elapsed.toFixed(1)} s in all${booted === undefined ? '' : `, ${booted.seconds.toFixed(1)} s of it to boot`}`
  )
  if (hint !== undefined) log.error(hint)
}
