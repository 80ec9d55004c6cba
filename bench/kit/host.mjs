// The host: its programs, its processes, and what a result has to say of it.
import { execFile, execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { cpus, loadavg, release, totalmem } from 'node:os'
import { promisify } from 'node:util'

/** Runs a program to its end and returns what it printed; a status other than 0 is an error with its last words. */
export async function run(program, args, options = {}) {
  const { stdout } = await promisify(execFile)(program, args, { maxBuffer: 64 * 1024 * 1024, ...options })
  return stdout
}

/** A TCP port of 127.0.0.1 that was free a moment ago. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address()
      server.close(() => resolve(port))
    })
  })
}

const firstLine = (program, args) => execFileSync(program, args, { encoding: 'utf8' }).split('\n')[0]

/** What figures depend on. */
export function describeHost() {
  const { PRETTY_NAME: system } = Object.fromEntries(
    [...readFileSync('/etc/os-release', 'utf8').matchAll(/^(\w+)="?(.*?)"?$/gm)].map(([, name, value]) => [name, value])
  )
  return {
    cpu: `${cpus().length} x ${cpus()[0].model.trim()}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    loadBefore: loadavg()[0],
    system,
    kernel: release(),
    node: process.version,
    qemu: firstLine('qemu-system-aarch64', ['--version']),
    ssh: execFileSync('sh', ['-c', 'ssh -V 2>&1'], { encoding: 'utf8' }).trim(),
    xz: firstLine('xz', ['--version'])
  }
}
