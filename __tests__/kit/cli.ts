import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { repository, sharedHome } from './runner'

export interface CliResult {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stdout: string
  readonly stderr: string
  readonly seconds: number
}

export interface CliOptions {
  readonly cwd?: string
  readonly home?: string
  readonly env?: Readonly<Record<string, string>>
  readonly node?: string
  /** Words in front of the command. */
  readonly under?: readonly string[]
  /** For its standard input; by default that is empty. */
  readonly input?: string
  /** Called with what the CLI has said so far on stderr, to react to it. */
  readonly onStderr?: (text: string, pid: number) => void
}

/** Runs the committed command line to its end. */
export function cli(
  args: readonly string[],
  {
    cwd = repository,
    home = sharedHome,
    env = {},
    node = process.execPath,
    under = [],
    input,
    onStderr
  }: CliOptions = {}
): Promise<CliResult> {
  return new Promise((resolve, reject) => {
    const started = Date.now()
    const [program = node, ...words] = [...under, node, join(repository, 'dist/cli/index.js'), ...args]
    const child = spawn(program, words, {
      cwd,
      env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/root', PI_QEMU_HOME: home, ...env },
      stdio: ['pipe', 'pipe', 'pipe']
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    let stdout = ''
    let stderr = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
      onStderr?.(stderr, child.pid ?? -1)
    })
    child.on('error', reject)
    child.on('close', (code, signal) => {
      resolve({ code, signal, stdout, stderr, seconds: (Date.now() - started) / 1000 })
    })
  })
}
