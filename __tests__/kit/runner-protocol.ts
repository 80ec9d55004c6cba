import { parse } from 'yaml'

/** A workflow command (`::name key=value::message`) that the step wrote to its log. */
export interface WorkflowCommand {
  readonly name: string
  readonly properties: Readonly<Record<string, string>>
  readonly message: string
}

/** What the runner takes from an action.yml. */
export interface ActionDefinition {
  /** Every declared input with its default (still with its expressions), `''` where there is none. */
  readonly inputs: Readonly<Record<string, string>>
  readonly outputs: readonly string[]
  readonly using: string
  readonly main: string
  readonly post: string | undefined
}

interface ActionFile {
  readonly inputs?: Readonly<Record<string, { readonly default?: unknown } | null>>
  readonly outputs?: Readonly<Record<string, unknown>>
  readonly runs: { readonly using: string; readonly main: string; readonly post?: string }
}

/** Reads the text of an action.yml. */
export function parseAction(text: string): ActionDefinition {
  const { inputs = {}, outputs = {}, runs } = parse(text) as ActionFile
  return {
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, scalar(input?.default)])),
    outputs: Object.keys(outputs),
    using: runs.using,
    main: runs.main,
    post: runs.post
  }
}

/** Inputs are strings for the runner, whatever YAML made of them. */
function scalar(value: unknown): string {
  if (typeof value === 'string') return value
  return value === undefined || value === null ? '' : JSON.stringify(value)
}

/** `INPUT_<NAME>` as the runner spells it: upper case, spaces to `_`, hyphens kept. */
export function inputVariable(name: string): string {
  return `INPUT_${name.replaceAll(' ', '_').toUpperCase()}`
}

/** Evaluates `${{ github.x }}` and `${{ runner.x }}` in an input's default from the job's variables; others are empty. */
export function evaluate(text: string, variables: Readonly<Record<string, string>>): string {
  return text.replace(/\$\{\{\s*([\w.-]+)\s*\}\}/g, (_, expression: string) => {
    return variables[expression.replaceAll(/[.-]/g, '_').toUpperCase()] ?? ''
  })
}

/**
 * Reads a command file (GITHUB_OUTPUT, GITHUB_STATE, GITHUB_ENV): `name=value` lines and heredocs
 * `name<<delimiter` … `delimiter`.
 * @throws on what the runner refuses, in its words.
 */
export function parseCommandFile(text: string): Readonly<Record<string, string>> {
  const values: Record<string, string> = {}
  const lines = text.split(/\r?\n/)
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    if (line === '') continue
    const equals = line.indexOf('=')
    const heredoc = line.indexOf('<<')
    if (heredoc >= 0 && (equals < 0 || heredoc < equals)) {
      const delimiter = line.slice(heredoc + 2)
      const end = lines.indexOf(delimiter, at + 1)
      if (heredoc === 0 || delimiter === '') throw new Error(`Invalid format '${line}'`)
      if (end < 0) throw new Error(`Invalid value. Matching delimiter not found '${delimiter}'`)
      values[line.slice(0, heredoc)] = lines.slice(at + 1, end).join('\n')
      at = end
    } else if (equals > 0) {
      values[line.slice(0, equals)] = line.slice(equals + 1)
    } else {
      throw new Error(`Invalid format '${line}'`)
    }
  }
  return values
}

/** Reads GITHUB_PATH: one folder per line. */
export function parsePathFile(text: string): readonly string[] {
  return text.split(/\r?\n/).filter(line => line !== '')
}

const unescapeData = (text: string): string =>
  text.replaceAll('%0D', '\r').replaceAll('%0A', '\n').replaceAll('%25', '%')
const unescapeProperty = (text: string): string => unescapeData(text.replaceAll('%3A', ':').replaceAll('%2C', ','))

/** The workflow command in one line of output, or undefined. */
export function parseWorkflowCommand(line: string): WorkflowCommand | undefined {
  const match = /^::([^\s:]+)(?:\s+(.*?))?::(.*)$/.exec(line.trim())
  if (match === null) return undefined
  const [, name = '', list = '', message = ''] = match
  const properties: Record<string, string> = {}
  for (const pair of list.split(',')) {
    const equals = pair.indexOf('=')
    if (equals > 0) properties[pair.slice(0, equals).trim()] = unescapeProperty(pair.slice(equals + 1))
  }
  return { name, properties, message: unescapeData(message) }
}

/**
 * The log as the runner keeps it: takes both streams' lines in order, collects the workflow commands (obeying
 * `::stop-commands::`) and hides what `::add-mask::` named.
 */
export class RunnerLog {
  private readonly masks: string[] = []
  private resumeToken: string | undefined
  private text = ''

  constructor(private readonly onCommand: (command: WorkflowCommand) => void) {}

  /** Everything so far, masked; a mask hides only what comes after it, as in the runner. */
  get masked(): string {
    return this.text
  }

  /** Takes one line, without its newline. */
  add(line: string): void {
    const command = parseWorkflowCommand(line)
    if (command === undefined) {
      this.write(line)
    } else if (this.resumeToken !== undefined) {
      if (command.name === this.resumeToken) this.resumeToken = undefined
      else this.write(line)
    } else {
      if (command.name === 'stop-commands') this.resumeToken = command.message
      if (command.name === 'add-mask') this.addMask(command.message)
      else this.write(line)
      this.onCommand(command)
    }
  }

  /** The runner masks a secret of several lines as a whole and each of its lines. */
  private addMask(secret: string): void {
    this.masks.push(...new Set([secret, ...secret.split(/\r?\n/)].filter(part => part.trim() !== '')))
  }

  private write(line: string): void {
    this.text += `${this.masks.reduce((text, mask) => text.replaceAll(mask, '***'), line)}\n`
  }
}
