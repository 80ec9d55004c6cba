import { copyFile, mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { tryTool } from '../host/exec'
import type { Home } from '../host/paths'
import { cachedTools, makeStaging, placeTool, toolCacheFolder } from '../host/tool-cache'
import { ensureTools } from '../host/tools'
import { fetchPackages } from '../host/packages'
import { HostFailure } from '../report/errors'
import type { Log } from '../report/log'
import type { Emulator } from './platforms'

/** Debian release whose emulators they are: the stable one. */
const suite = 'trixie'

/** Debian's names for the hosts that they can be had for. */
const hosts: Readonly<Partial<Record<NodeJS.Architecture, string>>> = { x64: 'amd64', arm64: 'arm64' }

export interface PrivateEmulatorPlace {
  readonly home: Home
  /** Folder of this run. */
  readonly scratch: string
  /** Names this run. */
  readonly id: string
  readonly log: Log
  /** Told of every path that may be left behind, before it is made. */
  readonly announce: (path: string) => void
}

/**
 * Debian stable's static emulator, apart from the host: from the tool cache, else fetched now.
 * @throws HostFailure
 */
export async function privateEmulator(emulator: Emulator, place: PrivateEmulatorPlace): Promise<string> {
  const { home, scratch, id, log, announce } = place
  const architecture = hosts[process.arch]
  if (architecture === undefined)
    throw new HostFailure({ symptom: `there is no private emulator for a host of the architecture ${process.arch}` })
  const program = `qemu-${emulator.name}`
  const name = `pi-${program}`
  const root = await toolCacheFolder(home, process.env)
  for (const { folder } of cachedTools(root, { name, arch: process.arch }))
    if ((await versionIn(folder, program)) !== undefined) return join(folder, program)
  const packages = join(scratch, 'emulator-packages')
  await fetchOnce(packages, async () => {
    await ensureTools(['mmdebstrap'], log)
    log.info(`Fetching qemu-user from Debian ${suite}'s packages; the host's stays as it is`)
    await fetchPackages({ architecture, suite, packages: ['qemu-user'], into: packages })
  })
  const staging = await makeStaging(root, { name, run: id }, announce)
  await mkdir(staging, { recursive: true })
  await copyFile(join(packages, 'usr/bin', program), join(staging, program))
  const version = await versionIn(staging, program)
  if (version === undefined)
    throw new HostFailure({ symptom: `Debian ${suite}'s ${program} does not run on this host` })
  const key = { name, version, arch: process.arch }
  const folder = await placeTool(staging, root, key, async there => (await versionIn(there, program)) !== undefined)
  return join(folder, program)
}

const fetches = new Map<string, Promise<void>>()

/** One package has them all, several of which may be wanted at once; it stays until the run ends. */
function fetchOnce(folder: string, fetch: () => Promise<void>): Promise<void> {
  const known = fetches.get(folder) ?? fetch()
  fetches.set(folder, known)
  return known
}

/** The version of the program in a folder, if it runs. */
async function versionIn(folder: string, program: string): Promise<string | undefined> {
  const { stdout } = await tryTool(join(folder, program), ['--version']).catch(() => ({ stdout: '' }))
  return /version (\d+\.\d+\.\d+)/.exec(stdout)?.[1]
}
