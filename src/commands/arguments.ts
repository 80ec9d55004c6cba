import { parseArgs } from 'node:util'
import { shellQuote } from '../guest'
import { definitions, listInputs, type InputName, type RawInputs } from '../inputs'
import { BadInput } from '../report/errors'

export interface Flags {
  readonly raw: RawInputs
  readonly verbose: boolean
  readonly help: boolean
}

const names = definitions.map(({ name }) => name)
/** Flags whose value may be left out, and then is "true". */
const switches: readonly InputName[] = ['keep-running', 'monitor', 'setuid', 'push', 'load']

/**
 * Reads the flags of a command that takes the action's inputs. What follows `--` is the command to run in the guest.
 * @throws BadInput for flags that do not exist and for stray words
 */
export function parseFlags(argv: readonly string[]): Flags {
  const split = argv.indexOf('--')
  const [flags, command] = split < 0 ? [argv, undefined] : [argv.slice(0, split), argv.slice(split + 1)]
  const complete = flags.map((word, at) => {
    const bare = switches.some(name => word === `--${name}`)
    return bare && !/^(true|false)$/i.test(flags[at + 1] ?? '') ? `${word}=true` : word
  })
  const values = read(complete)
  const raw: Partial<Record<InputName, string>> = {}
  for (const name of names) {
    const given = values[name] as string[] | undefined
    const value = listInputs.includes(name) ? given?.join('\n') : given?.at(-1)
    if (value !== undefined) raw[name] = value
  }
  if (command !== undefined && command.length > 0) {
    if (raw.run !== undefined) throw new BadInput(['there are two scripts: `--run` and the words after `--`; give one'])
    raw.run = command.map(word => shellQuote(word)).join(' ')
  }
  return { raw, verbose: values['verbose'] === true, help: values['help'] === true }
}

function read(args: readonly string[]): Record<string, unknown> {
  const options = {
    ...Object.fromEntries(names.map(name => [name, { type: 'string', multiple: true } as const])),
    verbose: { type: 'boolean', short: 'v' },
    help: { type: 'boolean', short: 'h' }
  } as const
  try {
    return parseArgs({ args: [...args], options, allowPositionals: false }).values
  } catch (error) {
    const wrong = /'(-[^\s'=]*)/.exec((error as Error).message)?.[1]
    if ((error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNKNOWN_OPTION') {
      throw new BadInput([
        `flag \`${wrong ?? '?'}\` does not exist; valid: ${names.map(name => `--${name}`).join(', ')}, --verbose, --help`
      ])
    }
    if ((error as NodeJS.ErrnoException).code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL') {
      throw new BadInput([
        `${/^Unexpected argument '.*?'(?=\.)/s.exec((error as Error).message)?.[0] ?? (error as Error).message}; the command for the Pi goes after \`--\``
      ])
    }
    // parseArgs names the flag in quotes, and goes on to explain its own syntax.
    const flag = /'(?:-\w, )?(--?[\w-]+)/.exec((error as Error).message)?.[1]
    throw new BadInput([
      flag === undefined
        ? (error as Error).message
        : `flag \`${flag}\` needs a value (and one that starts with a dash goes behind \`=\`)`
    ])
  }
}

/**
 * The flags with what came by way of the environment, where other users of the host cannot read it: a password in
 * `PI_QEMU_PASSWORD`. It is taken out of there, so that no program we start inherits it. A flag wins.
 */
export function withPassword(raw: RawInputs, env: NodeJS.ProcessEnv): RawInputs {
  const password = env['PI_QEMU_PASSWORD']
  delete env['PI_QEMU_PASSWORD']
  return password ? { password, ...raw } : raw
}
