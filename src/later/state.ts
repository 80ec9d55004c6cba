import { appendFile, readFile, rename, writeFile } from 'node:fs/promises'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Architecture } from '../boards'
import type { SyncMode } from '../inputs'
import { isKept, recordedRuns } from '../journal'
import { BadInput } from '../report/errors'
import type { Told } from '../workflow'

/** What later commands have to know of a Pi that was left up; in its run's folder, for this user alone. */
export interface PiState {
  readonly name: string
  /** The run that booted it. */
  readonly run: string
  /** Folder with the serial logs, and how many there are. */
  readonly logs: string
  readonly uarts: number
  readonly architecture: Architecture
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string }
  /** Its key is in base64; undefined where it is not known. */
  readonly ssh: {
    readonly host?: string | undefined
    readonly port: number
    readonly keyFile: string
    readonly hostKey: string | undefined
    readonly config: string
  }
  /** ms. */
  readonly bootTimeout: number
  /** What a boot needs of us: CPUs that the kernel leaves alone, and those that QEMU has spinning until it starts them. */
  readonly startCpus: boolean
  readonly spinningSecondaries: boolean
  /** Whether disks of the user's are to be written out before it ends. */
  readonly hasDisks: boolean
  /** Environment of its scripts. */
  readonly env: Readonly<Record<string, string>>
  readonly sync: SyncMode
  /** The workspace, on the host and in the guest. */
  readonly workspace: string
  /** The volume it is on in the guest, and what does not travel; undefined with `sync: live` or `none`. */
  readonly volume:
    { readonly file: string; readonly patterns: readonly string[]; readonly gitignore: boolean } | undefined
}

const stateFile = 'pi.json'
const toldFile = 'told.jsonl'
/** What both sides of the workspace had after the last exchange. */
export const manifestFile = 'workspace.json'

export async function writeState(folder: string, state: PiState): Promise<void> {
  const file = join(folder, stateFile)
  await writeFile(`${file}.new`, JSON.stringify(state), { mode: 0o600 })
  await rename(`${file}.new`, file)
}

/** The Pi that the run in a folder left up; undefined if it left none. */
export function readState(folder: string): PiState | undefined {
  const file = join(folder, stateFile)
  return existsSync(file) && isKept(folder) ? (JSON.parse(readFileSync(file, 'utf8')) as PiState) : undefined
}

export interface FoundPi {
  readonly folder: string
  readonly state: PiState
}

/**
 * The Pi of a name among those that are up; without a name the only one.
 * @throws BadInput if there is none, or more than one
 */
export function findPi(runs: string, name: string | undefined): FoundPi {
  const up = recordedRuns(runs).flatMap(folder => {
    const state = readState(folder)
    return state === undefined ? [] : [{ folder, state }]
  })
  const [found, another] = up.filter(({ state }) => name === undefined || state.name === name)
  const names = up.map(({ state }) => state.name).join(', ')
  if (found === undefined)
    throw new BadInput([
      up.length === 0
        ? 'no Pi is up; start one with `pi-qemu run --keep-running`'
        : `no Pi “${name ?? ''}” is up; valid: ${names}`
    ])
  if (another !== undefined) throw new BadInput([`several Pis are up; name one with \`--name\`: ${names}`])
  return found
}

/** What scripts in the Pi told later steps: names of variables, and folders for PATH. */
export interface Remembered {
  readonly names: readonly string[]
  readonly paths: readonly string[]
}

/** Names that a file for GITHUB_ENV sets. */
export function namesIn(text: string): readonly string[] {
  const names: string[] = []
  let end: string | undefined
  for (const line of text.split(/\r?\n/)) {
    if (end !== undefined) {
      if (line === end) end = undefined
      continue
    }
    const [, name, sign, rest] = /^([A-Za-z_]\w*)(=|<<)(.*)$/s.exec(line) ?? []
    if (name === undefined) continue
    names.push(name)
    if (sign === '<<') end = rest
  }
  return names
}

/** Keeps what a script told by GITHUB_ENV and GITHUB_PATH, for the scripts after it. */
export async function remember(folder: string, told: Told): Promise<void> {
  const names = namesIn(told.GITHUB_ENV ?? '')
  const paths = (told.GITHUB_PATH ?? '').split(/\r?\n/).filter(line => line.trim() !== '')
  if (names.length === 0 && paths.length === 0) return
  await appendFile(join(folder, toldFile), `${JSON.stringify({ names, paths } satisfies Remembered)}\n`, {
    mode: 0o600
  })
}

/** What all scripts so far told; the folder told last comes first. */
export async function remembered(folder: string): Promise<Remembered> {
  const text = await readFile(join(folder, toldFile), 'utf8').catch(() => '')
  const all = text.split('\n').flatMap(line => (line === '' ? [] : [JSON.parse(line) as Remembered]))
  return {
    names: [...new Set(all.flatMap(({ names }) => names))],
    paths: [...new Set(all.flatMap(({ paths }) => paths).reverse())]
  }
}
