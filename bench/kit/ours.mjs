// Our own side: the committed command line, as a user would start it.
import { spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { secondsSince } from './session.mjs'

const cli = join(dirname(dirname(dirname(fileURLToPath(import.meta.url)))), 'dist/cli/index.js')

/**
 * `pi-qemu …` to its end. Returns what it said, how long it took in all (`wall`, s), how long until the script's first
 * output (`first`, s), the seconds per phase, the output `cache-hit`, and the peak memory of the process itself (MiB).
 */
export function piQemu(session, args, { home = session.home, cwd = session.scratch, onStdout = () => undefined } = {}) {
  return new Promise((resolve, reject) => {
    const start = process.hrtime.bigint()
    const child = spawn(process.execPath, [cli, ...args], {
      cwd,
      env: { ...process.env, PI_QEMU_HOME: home },
      stdio: ['ignore', 'pipe', 'pipe']
    })
    // It tears down what it has made.
    session.atEnd(() => ended || (child.kill('SIGTERM'), closed))
    let [stdout, stderr, peak, first, ended] = ['', '', 0, undefined, false]
    const watch = setInterval(() => (peak = Math.max(peak, residentPeak(child.pid))), 20)
    child.stdout.on('data', data => {
      first ??= secondsSince(start)
      stdout += data
      onStdout(stdout)
    })
    child.stderr.on('data', data => (stderr += data))
    child.on('error', reject)
    const closed = new Promise(done => {
      child.on('close', code => {
        clearInterval(watch)
        ended = true
        // An output may be said more than once: the last counts.
        const output = name => [...stderr.matchAll(new RegExp(`^\\s+${name}: (.*)$`, 'gm'))].at(-1)?.[1]
        const phases = JSON.parse(output('timings') ?? '{}')
        const result = { stdout, stderr, wall: secondsSince(start), first, phases, cacheHit: output('cache-hit'), peak }
        if (code === 0) resolve(result)
        else reject(new Error(`pi-qemu ${args.join(' ')} ended with ${code}:\n${stderr.slice(-3000)}`))
        done()
      })
    })
  })
}

/** `pi-qemu run`; `flags` are inputs. */
export function runInPi(session, flags, options) {
  session.goOn()
  const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`)
  return piQemu(session, ['run', '--verbose', ...args], options)
}

/** A Pi that stays up; returns its file for `ssh -F`. `stop` it. */
export async function keepPiUp(session, flags) {
  const stop = () => piQemu(session, ['stop'])
  session.atEnd(stop)
  const { stderr } = await runInPi(session, { ...flags, 'keep-running': 'true', run: 'true' })
  const config = /ssh -F (\S+) pi/.exec(stderr)?.[1]
  if (config === undefined) throw new Error(`the Pi is not up:\n${stderr}`)
  return { config, stop }
}

/** VmHWM, see proc_pid_status(5). */
function residentPeak(pid) {
  try {
    return Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024
  } catch {
    return 0 // it has just ended
  }
}
