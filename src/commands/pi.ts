import { spawn } from 'node:child_process'
import { fstatSync, statSync } from 'node:fs'
import { open, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { attachConsole } from '../debug'
import { sshHost, shellQuote } from '../guest'
import type { Home } from '../host/paths'
import { scriptVariables, workflowOf } from '../inputs'
import { undo } from '../journal'
import {
  enter,
  exchangeIn,
  exchangeOut,
  findPi,
  get,
  put,
  reach,
  readState,
  reboot,
  runLater,
  type FoundPi
} from '../later'
import { Qmp, runFiles, screenshot } from '../qemu'
import { BadInput } from '../report/errors'
import type { Log } from '../report/log'

interface Surroundings {
  readonly home: Home
  readonly print: (text: string) => void
  readonly log: Log
}

interface Call extends Surroundings {
  readonly found: FoundPi
  readonly words: readonly string[]
  readonly options: Options
}

interface Options {
  readonly name?: string
  readonly run?: string
  readonly shell?: string
  readonly env: readonly string[]
}

interface Subcommand {
  readonly usage: string
  readonly summary: string
  readonly work: (call: Call) => Promise<number>
}

const subcommands: Readonly<Record<string, Subcommand>> = {
  run: {
    usage: 'run [--env NAME[=VALUE]] -- COMMAND [ARGUMENT ...]',
    summary: 'run a command in the Pi',
    work: runWords
  },
  sync: { usage: 'sync in|out', summary: 'bring what changed in the workspace into the Pi, or out of it', work: sync },
  put: { usage: 'put HOST-PATH ... GUEST-PATH', summary: 'copy files and folders into the Pi', work: putFiles },
  get: { usage: 'get GUEST-PATH ... HOST-PATH', summary: 'copy files and folders out of the Pi', work: getFiles },
  reboot: { usage: 'reboot', summary: 'reboot the Pi, and wait until it is ready again', work: rebootIt },
  screenshot: { usage: 'screenshot FILE.png', summary: 'a picture of what is on its display', work: takePicture },
  log: { usage: 'log [--follow]', summary: 'show what it wrote to its serial console', work: showLog },
  console: { usage: 'console', summary: 'its serial console, with `serial: socket`; Ctrl-] leaves it', work: console },
  ssh: { usage: 'ssh [ARGUMENT ...]', summary: 'a login shell, or what ssh runs', work: ssh },
  stop: { usage: 'stop', summary: 'switch the Pi off', work: stop }
}

const usage = (name: string): string =>
  [
    `usage: ${name} [--shell SHELL] [--env NAME[=VALUE]] FILE`,
    '           run a script in the Pi (in a workflow: `shell: ' + name + ' {0}`)',
    ...Object.values(subcommands).flatMap(({ usage: words, summary }) => [
      `       ${name} ${words}`,
      `           ${summary}`
    ])
  ].join('\n')

/**
 * `pi-qemu pi`, and the command that later steps have: what is done in a Pi that was left up. Returns the status to exit
 * with.
 */
export async function piCommand(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const { home, print } = surroundings
  const { options, rest } = leadingOptions(argv)
  const [word, ...words] = rest
  if (word === undefined || ['help', '--help', '-h'].includes(word)) {
    print(usage(options.run === undefined ? 'pi-qemu pi [--name NAME]' : (readState(options.run)?.name ?? 'pi')))
    return word === undefined ? 125 : 0
  }
  const found = options.run === undefined ? findPi(home.runs, options.name) : byFolder(options.run)
  const subcommand = Object.hasOwn(subcommands, word) ? subcommands[word] : undefined
  if (subcommand !== undefined) return subcommand.work({ ...surroundings, found, words, options })
  if (statSync(word, { throwIfNoEntry: false })?.isFile() !== true)
    throw new BadInput([
      `“${word}” is neither a file nor a command of \`${found.state.name}\`; valid: a script's file, ${Object.keys(subcommands).join(', ')}`
    ])
  return script({ ...surroundings, found, words, options }, await readFile(word, 'utf8'))
}

function byFolder(folder: string): FoundPi {
  const state = readState(folder)
  if (state === undefined) throw new BadInput(['this Pi is not up any more: it was switched off'])
  return { folder, state }
}

/** Options in front of the first other word; each has a value. */
function leadingOptions(argv: readonly string[]): { readonly options: Options; readonly rest: readonly string[] } {
  const valid = ['name', 'run', 'shell', 'env']
  const options: Record<string, string> = {}
  const env: string[] = []
  let at = 0
  for (; argv[at]?.startsWith('--') === true && argv[at] !== '--'; at++) {
    const [, name = '', joined] = /^--([^=]*)(?:=(.*))?$/s.exec(argv[at] ?? '') ?? []
    if (name === 'help') break
    if (!valid.includes(name))
      throw new BadInput([`option \`--${name}\` does not exist; valid: ${valid.map(one => `--${one}`).join(', ')}`])
    const value = joined ?? argv[++at]
    if (value === undefined) throw new BadInput([`option \`--${name}\` needs a value`])
    if (name === 'env') env.push(value)
    else options[name] = value
  }
  return { options: { ...options, env }, rest: argv.slice(at) }
}

async function runWords(call: Call): Promise<number> {
  const { options, rest } = leadingOptions(call.words)
  const words = rest[0] === '--' ? rest.slice(1) : rest
  if (words.length === 0) throw new BadInput(['`run` needs a command after `--`'])
  const all = { ...call.options, ...options, env: [...call.options.env, ...options.env] }
  return script({ ...call, options: all }, words.map(shellQuote).join(' '), standardInput())
}

/** What a command is given to read, if it is given anything. */
function standardInput(): NodeJS.ReadStream | undefined {
  const stat = fstatSync(0)
  return stat.isFIFO() || stat.isFile() || stat.isSocket() ? process.stdin : undefined
}

async function script({ found, options, log }: Call, run: string, stdin?: NodeJS.ReadStream): Promise<number> {
  const env = scriptVariables(options.env, process.env)
  const pi = await enter(reach(found))
  let told: number | undefined
  for (const [signal, number] of Object.entries({ SIGINT: 2, SIGTERM: 15, SIGHUP: 1 }))
    process.once(signal, () => {
      told = 128 + number
      void pi.guest.stop().finally(() => process.exit(told))
    })
  const result = await runLater(
    pi,
    { run, shell: options.shell, env, cwd: process.cwd(), stdin, workflow: workflowOf(process.env) },
    { log, stdout: chunk => process.stdout.write(chunk), stderr: chunk => process.stderr.write(chunk) }
  )
  if (told !== undefined) return told
  if (result.signal !== undefined) log.error(`The script was killed by SIG${result.signal}`)
  return result.exitCode
}

async function sync({ found, words: [direction, ...more], log }: Call): Promise<number> {
  if ((direction !== 'in' && direction !== 'out') || more.length > 0)
    throw new BadInput(['`sync` needs a direction; valid: in, out'])
  const { sync: mode, volume } = found.state
  if (mode === 'live') log.info('The workspace is shared (sync: live): there is nothing to bring')
  else if (volume === undefined) throw new BadInput(['this Pi has no workspace: it was started with `sync: none`'])
  else await (direction === 'in' ? exchangeIn : exchangeOut)(await enter(reach(found)), volume, log)
  return 0
}

async function putFiles({ found, words }: Call): Promise<number> {
  const to = words.at(-1)
  if (to === undefined || words.length < 2)
    throw new BadInput(['`put` needs paths of the host, and then one of the guest'])
  await put(await enter(reach(found)), words.slice(0, -1), to, process.cwd())
  return 0
}

async function getFiles({ found, words }: Call): Promise<number> {
  const to = words.at(-1)
  if (to === undefined || words.length < 2)
    throw new BadInput(['`get` needs paths of the guest, and then one of the host'])
  const pi = await enter(reach(found))
  for (const from of words.slice(0, -1)) await get(pi, from, to, process.cwd())
  return 0
}

async function rebootIt({ found, log }: Call): Promise<number> {
  const began = Date.now()
  await reboot(reach(found), log)
  log.info(`Ready again after ${((Date.now() - began) / 1000).toFixed(1)} s`)
  return 0
}

async function takePicture({ found, words: [file, ...more], log }: Call): Promise<number> {
  if (file === undefined || more.length > 0)
    throw new BadInput(['`screenshot` needs one file to write, such as screen.png'])
  const { folder } = reach(found)
  const qmp = await Qmp.connect(folder, runFiles.qmp)
  await screenshot(qmp, file).finally(() => {
    qmp.close()
  })
  log.info(`Written: ${file}`)
  return 0
}

/** How often (ms) the log is looked at for more. */
const followInterval = 200

async function showLog({ found, words }: Call): Promise<number> {
  if (words.some(word => word !== '--follow')) throw new BadInput(['`log` takes --follow and nothing else'])
  const { serial, qemu } = reach(found)
  const file = await open(serial.mainFile, 'r')
  for (;;) {
    const { buffer, bytesRead } = await file.read({ buffer: Buffer.alloc(1 << 16) })
    process.stdout.write(buffer.subarray(0, bytesRead))
    if (bytesRead > 0) continue
    if (!words.includes('--follow') || !qemu.isAlive()) return 0
    await sleep(followInterval)
  }
}

async function console({ found, words }: Call): Promise<number> {
  if (words.length > 0) throw new BadInput(['`console` takes nothing else'])
  const { folder, serial } = reach(found)
  await attachConsole(join(folder, runFiles.serial(serial.mainUart)), process.stdin, process.stdout)
  return 0
}

async function ssh({ found, words }: Call): Promise<number> {
  const terminal = words.length === 0 && process.stdin.isTTY ? ['-t'] : []
  return new Promise((resolve, reject) => {
    spawn('ssh', ['-F', found.state.ssh.config, ...terminal, sshHost, ...words], { stdio: 'inherit' })
      .on('error', reject)
      .on('close', code => {
        resolve(code ?? 255)
      })
  })
}

async function stop({ found, log }: Call): Promise<number> {
  if (found.state.hasDisks) {
    const { guest } = await enter(reach(found))
    if (!(await guest.settleDisks())) log.warn('The guest did not write its disks out')
    guest.session.close()
  }
  return (await undo(found.folder, log)) ? 0 : 1
}
