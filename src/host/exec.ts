import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import { getExecOutput } from '@actions/exec'
import { explain, recognise } from '../report/diagnosis'
import { HostFailure, messageOf } from '../report/errors'
import { goingOn } from './going-on'

export interface ToolOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** Text or bytes for the tool's standard input. */
  readonly input?: string | Buffer
  /** Of what it prints, with `input`; `latin1` keeps every byte apart. */
  readonly encoding?: 'latin1'
}

export interface ToolResult {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** Runs a tool to its end, without a shell, and returns its status and output; throws only if it cannot be started. */
export async function tryTool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<ToolResult> {
  const result = await start(name, args, options)
  await goingOn()
  return result
}

async function start(name: string, args: readonly string[], options: ToolOptions): Promise<ToolResult> {
  // LC_ALL: what tools print is read by us, so it has to be in one language.
  const env = { ...(process.env as Record<string, string>), LC_ALL: 'C.UTF-8', ...options.env }
  const cwd = options.cwd === undefined ? {} : { cwd: options.cwd }
  try {
    // Found by us: @actions/exec prints what it meets on the way to stdout, which is the script's.
    const program = isAbsolute(name) ? name : await findTool(name)
    if (program === undefined) throw new Error('no such program in PATH')
    await goingOn()
    if (options.input !== undefined) return await feed(program, args, options.input, { env, ...cwd }, options.encoding)
    const { exitCode, stdout, stderr } = await getExecOutput(`"${program}"`, [...args], {
      silent: true,
      ignoreReturnCode: true,
      env,
      ...cwd
    })
    return { code: exitCode, stdout, stderr }
  } catch (error) {
    throw new HostFailure({ symptom: `${name} could not be started: ${messageOf(error)}` }, { cause: error })
  }
}

/** Full path of a program. Debian keeps some in sbin, which a user's PATH may lack. */
export async function findTool(name: string): Promise<string | undefined> {
  for (const folder of [...(process.env['PATH'] ?? '').split(delimiter), '/usr/local/sbin', '/usr/sbin', '/sbin']) {
    const path = join(folder, name)
    const usable = access(path, constants.X_OK).then(
      () => true,
      () => false
    )
    if (folder !== '' && (await usable)) return path
  }
  return undefined
}

/** @actions/exec takes input too, but a tool that ends without reading it all brings the whole process down (EPIPE). */
function feed(
  name: string,
  args: readonly string[],
  input: string | Buffer,
  where: { env: Record<string, string>; cwd?: string },
  encoding?: 'latin1'
): Promise<ToolResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(name, args, where)
    const out: Buffer[] = []
    const err: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk))
    child.stdin.on('error', () => undefined)
    child.on('error', reject)
    child.on('close', code => {
      resolve({
        code: code ?? 128,
        stdout: Buffer.concat(out).toString(encoding),
        stderr: Buffer.concat(err).toString()
      })
    })
    child.stdin.end(input)
  })
}

/** Like {@link tryTool}, but a non-zero status is a {@link HostFailure} that carries the tool's last words. Returns stdout. */
export async function tool(name: string, args: readonly string[], options: ToolOptions = {}): Promise<string> {
  const { code, stdout, stderr } = await tryTool(name, args, options)
  if (code !== 0) throw toolFailure(name, args, code, stderr || stdout)
  return stdout
}

/** The {@link HostFailure} for a tool that ended with `code`, with the cause where its output tells one. */
export function toolFailure(name: string, args: readonly string[], code: number | string, output: string): HostFailure {
  const lastWords = output.trim().split('\n').slice(-8).join('\n')
  const known = recognise('host', output)
  return new HostFailure({
    symptom: `${name} ended with status ${code} (${[name, ...args].join(' ').slice(0, 300)})\n${lastWords}`,
    ...(known && explain(known.row))
  })
}
