#!/usr/bin/env node
import { ownStatus } from './execute'
import { parseFlags } from './commands/arguments'
import { commandSummaries, helpText, type CommandName } from './commands/help'
import { binfmtCommand } from './commands/binfmt'
import { bootCommand, bootWords } from './commands/boot'
import { cacheCommand } from './commands/cache'
import { execCommand } from './commands/exec'
import { boardsCommand, cleanCommand, doctorCommand, stopCommand } from './commands/host'
import { imagesCommand } from './commands/images'
import { piCommand } from './commands/pi'
import { consoleCommand, demoCommand, runCommand, shellCommand } from './commands/run'
import { homeFolders } from './host/paths'
import { BadInput, describeFailure } from './report/errors'
import { terminalLog } from './report/log'

const print = (text: string): void => {
  process.stdout.write(`${text}\n`)
}

async function command(name: string | undefined, rest: readonly string[]): Promise<number> {
  const home = homeFolders(process.env)
  const onlyFlags = (...valid: readonly string[]): void => {
    const wrong = rest.find(word => !valid.includes(word))
    if (wrong !== undefined)
      throw new BadInput([
        `\`pi-qemu ${name ?? ''}\` does not take \`${wrong}\`; valid: ${valid.join(', ') || 'nothing'}`
      ])
  }
  const flagged = (work: typeof runCommand, words = rest): Promise<number> => {
    const { raw, verbose, help } = parseFlags(words)
    if (!help) return work({ raw, log: terminalLog(process.stderr, verbose || process.env['RUNNER_DEBUG'] === '1') })
    print(helpText())
    return Promise.resolve(0)
  }
  const commands: Readonly<Record<CommandName, () => number | Promise<number>>> = {
    run: () => flagged(runCommand),
    demo: () => flagged(demoCommand),
    shell: () => flagged(shellCommand),
    boot: () => {
      const words = bootWords(rest)
      return flagged(terminal => bootCommand(terminal, words), words.rest)
    },
    console: () => flagged(consoleCommand),
    images: () => imagesCommand(rest, { home, print, log: terminalLog() }),
    cache: () => cacheCommand(rest, { home, print, log: terminalLog() }),
    binfmt: () => binfmtCommand(rest, { home, print, log: terminalLog() }),
    exec: () => execCommand(rest, terminalLog()),
    boards: () => (onlyFlags(), boardsCommand(print)),
    doctor: () => (
      onlyFlags('--install'),
      doctorCommand(home, print, terminalLog(), { install: rest.includes('--install') })
    ),
    pi: () => piCommand(rest, { home, print, log: terminalLog() }),
    stop: () => (onlyFlags(), stopCommand(home, terminalLog())),
    clean: () => (onlyFlags('--cache'), cleanCommand(home, terminalLog(), { cache: rest.includes('--cache') }))
  }
  if (name === undefined || ['help', '--help', '-h'].includes(name)) {
    print(helpText())
    return name === undefined ? ownStatus.fault : 0
  }
  if (!(name in commands))
    throw new BadInput([`there is no command \`${name}\`; valid: ${Object.keys(commandSummaries).join(', ')}`])
  return commands[name as CommandName]()
}

const [name, ...rest] = process.argv.slice(2)
command(name, rest).then(
  // Not by itself: what a failure left behind, a download say, would hold the process.
  code => process.exit(code),
  (error: unknown) => {
    terminalLog().error(describeFailure(error))
    process.exit(ownStatus.fault)
  }
)
