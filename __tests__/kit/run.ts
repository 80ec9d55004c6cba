import { execFile } from 'node:child_process'

export interface RunOptions {
  readonly cwd?: string
  readonly env?: Readonly<Record<string, string>>
  /** A non-zero status is no fault. */
  readonly tolerate?: boolean
}

/**
 * Runs a program of the host to its end and returns its standard output. The kit has its own, so that the tests' footing
 * does not rest on what they test.
 * @throws with the end of its output if its status is not 0.
 */
export function run(program: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { cwd, env, tolerate } = options
  return new Promise((resolve, reject) => {
    const where = { ...(cwd !== undefined && { cwd }), env: { ...process.env, LC_ALL: 'C.UTF-8', ...env } }
    execFile(program, [...args], { ...where, maxBuffer: 256 * 1024 * 1024 }, (error, stdout, stderr) => {
      const startedAndEnded = error === null || typeof error.code === 'number'
      if (error === null || (tolerate === true && startedAndEnded)) resolve(stdout)
      else {
        const command = [program, ...args].join(' ').slice(0, 300)
        const status = error.code ?? error.signal ?? 'an unknown status'
        reject(new Error(`${command} ended with ${status}\n${(stderr || stdout).slice(-3000)}`))
      }
    })
  })
}
