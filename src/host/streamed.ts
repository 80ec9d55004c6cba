import { spawn } from 'node:child_process'
import { HostFailure } from '../report/errors'
import { findTool } from './exec'
import { goingOn } from './going-on'

/** ms that a program has for an end of its own. */
const patience = 10_000

export interface StreamOptions {
  readonly onStdout: (chunk: Buffer) => void
  readonly onStderr: (chunk: Buffer) => void
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Asks the program to end; what does not heed that is ended. */
  readonly stop?: AbortSignal
}

/**
 * Runs a program to its end, without a shell and without input, its output passed on as it comes. Returns its status; 128 + n is
 * not told apart from a signal here.
 * @throws HostFailure if it cannot be started
 */
export async function streamTool(name: string, args: readonly string[], options: StreamOptions): Promise<number> {
  const { onStdout, onStderr, env, cwd, stop } = options
  const program = (await findTool(name)) ?? name
  await goingOn()
  const code = await new Promise<number>((resolve, reject) => {
    const child = spawn(program, args, {
      ...{ stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } },
      ...(cwd !== undefined && { cwd })
    })
    let forced: NodeJS.Timeout | undefined
    const end = (): void => {
      child.kill('SIGTERM')
      forced = setTimeout(() => child.kill('SIGKILL'), patience)
    }
    stop?.addEventListener('abort', end)
    child.stdout.on('data', onStdout)
    child.stderr.on('data', onStderr)
    child.on('error', error => {
      reject(new HostFailure({ symptom: `${name} could not be started: ${error.message}` }, { cause: error }))
    })
    child.on('close', status => {
      stop?.removeEventListener('abort', end)
      clearTimeout(forced)
      resolve(status ?? 128)
    })
  })
  await goingOn()
  return code
}
