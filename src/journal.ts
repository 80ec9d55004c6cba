import { randomBytes } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import * as core from '@actions/core'
import { tryTool } from './host/exec'
import { removeTree, type Home } from './host/paths'
import { end, identify, installMarker, isAlive, marked, runMarker, waitForEnd } from './host/processes'
import { isRoot } from './host/tools'
import type { Entry } from './journal-entry'
import { takeDownTap } from './network'
import { messageOf } from './report/errors'
import type { Log } from './report/log'
import { hasHandlers, withdrawHandlers, wordsFor } from './usermode'
import { describeThing, removeThing } from './usermode/engine-things'

export type { Entry } from './journal-entry'

const fileName = 'journal.jsonl'
const stateName = 'run-folder'
/** dpkg is never interrupted; this long (ms) we wait for it. */
const installPatience = 120_000

/** The record of one run, in the run's own folder, which is itself the first thing to be undone. */
export class Journal {
  private constructor(
    /** Gone when the run is torn down. */
    readonly folder: string,
    /** Console and QEMU logs; kept after a failed run on a terminal. */
    readonly logs: string,
    /** Names the run, whichever part of it this is. */
    readonly id = basename(folder),
    private readonly file = join(folder, fileName)
  ) {}

  /** Starts a run: a new folder below `runs`, readable by this user alone. Its name marks all processes of the run. */
  static create(home: Home, { tellPost = false } = {}): Journal {
    for (const path of [home.runs, home.logs]) mkdirSync(path, { recursive: true, mode: 0o700 })
    const name = `run-${randomBytes(6).toString('hex')}`
    const folder = join(realpathSync(home.runs), name)
    // Post has to know of the folder even if we die between the next two lines.
    if (tellPost) core.saveState(stateName, folder)
    mkdirSync(folder, { mode: 0o700 })
    const journal = new Journal(folder, logsOf(folder))
    const owner = identify(process.pid)
    if (owner !== undefined) journal.record({ kind: 'owner', process: owner })
    mkdirSync(journal.logs, { mode: 0o700 })
    // Children inherit it; this process itself does not show it in /proc.
    process.env[runMarker] = journal.id
    return journal
  }

  /** The run of which an earlier process of this step told us, if there is one. */
  static fromState(): string | undefined {
    return core.getState(stateName) || undefined
  }

  /** The same run's record, with folders of their own for a machine besides the run's. */
  part(name: string): Journal {
    const [folder, logs] = [join(this.folder, name), join(this.logs, name)]
    for (const path of [folder, logs]) mkdirSync(path, { mode: 0o700 })
    return new Journal(folder, logs, this.id, this.file)
  }

  record(entry: Entry): void {
    appendFileSync(this.file, JSON.stringify(entry) + '\n')
  }
}

/** Entries in the order they were written; a line cut off by a crash is left out. */
export function readJournal(folder: string): readonly Entry[] {
  const file = join(folder, fileName)
  if (!existsSync(file)) return []
  return readFileSync(file, 'utf8')
    .split('\n')
    .flatMap(line => {
      try {
        return line === '' ? [] : [JSON.parse(line) as Entry]
      } catch {
        return []
      }
    })
}

/** Whether a run leaves something on purpose, for what comes after it. */
export function isKept(folder: string): boolean {
  return readJournal(folder).some(({ kind }) => kind === 'kept')
}

/** Whether the process that did the run, or a Pi or handlers it left on purpose, are still there. */
export function isInUse(folder: string): boolean {
  const entries = readJournal(folder)
  const kept = isKept(folder)
  return entries.some(
    entry =>
      (entry.kind === 'owner' && isAlive(entry.process)) ||
      (kept && entry.kind === 'process' && isAlive(entry.process)) ||
      (kept && entry.kind === 'handlers' && hasHandlers(entry.id))
  )
}

/** Entries of caches that living runs use. */
export function pathsInUse(runs: string): ReadonlySet<string> {
  const entries = recordedRuns(runs).filter(isInUse).flatMap(readJournal)
  return new Set(entries.flatMap(entry => (entry.kind === 'uses' ? [entry.path] : [])))
}

/** Folders of all runs that are still recorded. */
export function recordedRuns(runs: string): readonly string[] {
  return existsSync(runs)
    ? readdirSync(runs)
        .filter(name => name.startsWith('run-'))
        .map(name => join(runs, name))
    : []
}

/**
 * Undoes everything a run made, newest first. Each step is bounded in time and independent of the others; doing it
 * again is harmless. Problems are logged, never thrown.
 * @param keepLogs leaves the run's logs for the reader
 * @returns whether nothing is left
 */
export async function undo(folder: string, log: Log, { keepLogs = false } = {}): Promise<boolean> {
  const entries = readJournal(folder)
  let clean = true
  // What an engine still has can be removed once it runs again, if there is still a record of it.
  let owed = false
  const attempt = async (what: string, work: () => Promise<boolean>): Promise<boolean> => {
    try {
      if (await work()) return true
      log.warn(`teardown: ${what} is still there`)
    } catch (error) {
      log.warn(`teardown: ${what}: ${messageOf(error)}`)
    }
    clean = false
    return false
  }
  for (const entry of [...entries].reverse()) {
    switch (entry.kind) {
      case 'process':
        await attempt(
          `${entry.name} (pid ${entry.process.pid})`,
          async () => (await end([entry.process], entry.patience)).length === 0
        )
        break
      case 'partial':
        if (entries.some(other => other.kind === 'done' && other.path === entry.path)) break
        await attempt(entry.path, async () => {
          await rm(entry.path, { recursive: true, force: true })
          return true
        })
        break
      case 'handlers':
        await attempt('a handler in binfmt_misc', async () => {
          await withdrawHandlers(entry.id)
          return true
        })
        break
      case 'network':
        await attempt(`the tap ${entry.device}`, () => takeDownTap(entry))
        break
      case 'container':
      case 'engine-image':
      case 'builder':
        // A client that still lives could make it anew.
        await endMarked(basename(folder))
        if (!(await attempt(describeThing(entry), () => removeThing(entry).then(() => true)))) owed = true
        break
      case 'owner':
      case 'done':
      case 'uses':
      case 'kept':
        break
    }
  }
  // Told by the run's name alone: somebody may have removed its journal.
  await attempt(
    'a package installation',
    async () => (await waitForEnd(marked(installMarker, basename(folder)), installPatience)).length === 0
  )
  await attempt('a process of this run', () => endMarked(basename(folder)))
  for (const path of [...(owed ? [] : [folder]), ...(keepLogs ? [] : [logsOf(folder)])]) {
    await attempt(path, async () => {
      if (!isOurs(path)) throw new Error('not a folder of ours, left alone')
      await removeTree(path).catch((error: unknown) => removeAsRoot(path, error))
      return !existsSync(path)
    })
  }
  return clean
}

/** What root wrote in a run's folder, for an image's root file system, only that root can remove. */
async function removeAsRoot(path: string, error: unknown): Promise<void> {
  if (isRoot()) throw error
  for (const rights of ['sudo', 'unprivileged'] as const) {
    const [program, ...args] = [...wordsFor[rights], 'rm', '-rf', '--one-file-system', path] as const
    await tryTool(program, args).catch(() => undefined)
    if (!existsSync(path)) return
  }
  throw error
}

/** Ends every process of a run; those, too, that were started while others ended. */
async function endMarked(id: string): Promise<boolean> {
  for (let round = 0; round < 5; round++) {
    const found = marked(runMarker, id)
    if (found.length === 0) return true
    await end(found)
  }
  return false
}

/** Where the logs of a run are: beside the runs, so that they can outlive it. */
export function logsOf(folder: string): string {
  return join(dirname(dirname(folder)), 'logs', basename(folder))
}

/** What may be removed with all it holds. */
function isOurs(folder: string): boolean {
  return /^run-[0-9a-f]{12}$/.test(basename(folder)) && ['runs', 'logs'].includes(basename(dirname(folder)))
}
