import { existsSync } from 'node:fs'
import { readdir, rm, statfs } from 'node:fs/promises'
import { boards } from '../boards'
import { findTool, tryTool } from '../host/exec'
import type { Home } from '../host/paths'
import { ensureTools, isRoot, missingTools, packagesFor, tools, toolVersion, type ToolName } from '../host/tools'
import { isInUse, isKept, recordedRuns, undo } from '../journal'
import { cachedPrivateVersion, hasPrivateQemu, machinesIn } from '../qemu'
import { mib, type Log } from '../report/log'

type Print = (line: string) => void

/** `pi-qemu boards` */
export function boardsCommand(print: Print): number {
  for (const { name, title, architectures, sinceQemu } of Object.values(boards)) {
    print(`${name.padEnd(11)} ${title}; ${Object.keys(architectures).join(', ')}; QEMU ${sinceQemu.join('.')} or newer`)
  }
  return 0
}

/** `pi-qemu doctor`: one line each, with the remedy where something is missing. Status 1 if a run could not work. */
export async function doctorCommand(
  home: Home,
  print: Print,
  log: Log,
  { install }: { readonly install: boolean }
): Promise<number> {
  if (install) await ensureTools(Object.keys(tools) as ToolName[], log)
  let able = true
  const line = (ok: boolean, text: string, remedy?: string): void => {
    print(`${ok ? 'ok     ' : 'missing'} ${text}${!ok && remedy !== undefined ? `; remedy: ${remedy}` : ''}`)
  }
  const canInstall =
    (await findTool('apt-get')) !== undefined &&
    (isRoot() || (await tryTool('sudo', ['-n', 'true']).catch(() => ({ code: 1 }))).code === 0)
  line(
    canInstall,
    'apt-get with the right to install',
    'run as root, or allow sudo without a password; or install what is missing by hand'
  )
  const names = Object.keys(tools) as ToolName[]
  const missing = await missingTools(names)
  for (const name of names) {
    const there = !missing.includes(name)
    if (!there && !canInstall) able = false
    const remedy = `${canInstall ? 'is installed when it is needed, or now with: ' : ''}apt-get install ${packagesFor([name]).join(' ')}`
    line(there, there ? `${name}: ${await toolVersion(name)}` : name, remedy)
  }
  if (!missing.includes('qemu-system-aarch64')) {
    const machines = (await tryTool('qemu-system-aarch64', ['-machine', 'help'])).stdout
    const kept = await cachedPrivateVersion(home)
    // What is fetched once serves for good; else it takes the program that fetches it.
    const canFetch = kept !== undefined || (hasPrivateQemu() && (canInstall || !missing.includes('mmdebstrap')))
    for (const { name, machine, sinceQemu } of Object.values(boards)) {
      const there = machinesIn(machines).has(machine)
      const apart = `: by a private QEMU (${kept ?? 'fetched when it is needed'}), since the host's has none`
      line(there || canFetch, `board ${name}${there || !canFetch ? '' : apart}`, `needs QEMU ${sinceQemu.join('.')}`)
    }
  }
  const folder = existsSync(home.root) ? home.root : '/'
  const { bavail, bsize } = await statfs(folder)
  line(
    bavail * bsize > 4 * 1024 ** 3,
    `disk: ${mib(bavail * bsize)} free for ${home.root}`,
    'free some space, or set PI_QEMU_HOME to a larger disk'
  )
  const handlers = await readdir('/proc/sys/fs/binfmt_misc').catch(() => [])
  print(
    `info    binfmt_misc: ${handlers.length === 0 ? 'not mounted' : handlers.filter(name => !['register', 'status'].includes(name)).join(', ') || 'no handlers'} (not needed to boot a Pi)`
  )
  const docker =
    (await findTool('docker')) === undefined
      ? 'not installed'
      : (await tryTool('docker', ['version', '--format', '{{.Server.Version}}'])).code === 0
        ? 'running'
        : 'not running'
  print(`info    Docker: ${docker} (not needed to boot a Pi)`)
  return able ? 0 : 1
}

/** `pi-qemu stop`: ends the Pis that were left up on purpose. */
export async function stopCommand(home: Home, log: Log): Promise<number> {
  const kept = recordedRuns(home.runs).filter(isKept)
  let clean = true
  for (const folder of kept) clean = (await undo(folder, log)) && clean
  log.info(kept.length === 0 ? 'No Pi is up' : `${kept.length} switched off`)
  return clean ? 0 : 1
}

/** `pi-qemu clean`: what dead runs left; with `cache` also what makes later runs faster. Living runs are left alone. */
export async function cleanCommand(home: Home, log: Log, { cache }: { readonly cache: boolean }): Promise<number> {
  let clean = true
  const runs = recordedRuns(home.runs)
  const busy = runs.filter(isInUse)
  for (const folder of runs) if (!busy.includes(folder)) clean = (await undo(folder, log)) && clean
  for (const folder of recordedRuns(home.logs)) {
    if (!busy.some(run => run.endsWith(folder.slice(folder.lastIndexOf('/')))))
      await rm(folder, { recursive: true, force: true })
  }
  log.info(
    `${runs.length - busy.length} dead run(s) torn down${busy.length > 0 ? `, ${busy.length} alive and left alone` : ''}`
  )
  if (cache && busy.length > 0) log.warn('the cache is in use by a living run, and was kept')
  else if (cache)
    for (const path of [
      ...[home.images, home.snapshots, home.kernels, home.sources, home.exchange],
      ...[home.tools, home.emulators, home.sysroots]
    ])
      await rm(path, { recursive: true, force: true })
  return clean ? 0 : 1
}
