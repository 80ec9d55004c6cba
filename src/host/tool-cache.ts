import { constants, existsSync, statSync } from 'node:fs'
import { access, mkdir, rename, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import * as toolkit from '@actions/tool-cache'
import { HostFailure, messageOf } from '../report/errors'
import { removeTree, type Home } from './paths'

/** One tool in the cache. */
export interface CachedTool {
  /** Semantic version. */
  readonly version: string
  readonly folder: string
  /** When it was made, or last found to be current; ms since 1970. */
  readonly current: number
}

/** What a tool is kept under. */
export interface ToolKey {
  readonly name: string
  /** Semantic version. */
  readonly version: string
  /** Node's name for the architecture. */
  readonly arch: string
}

/**
 * Where tools are kept: the runner's tool cache, else (on a terminal, or where that is read-only) a folder of our own.
 */
export async function toolCacheFolder(home: Home, env: Readonly<NodeJS.ProcessEnv>): Promise<string> {
  const runners = env['RUNNER_TOOL_CACHE']
  if (!runners) return home.tools
  try {
    await mkdir(runners, { recursive: true })
    await access(runners, constants.W_OK | constants.X_OK)
    return runners
  } catch {
    return home.tools
  }
}

/** Whole tools of a name in the cache, the most recent first. */
export function cachedTools(root: string, { name, arch }: Omit<ToolKey, 'version'>): readonly CachedTool[] {
  return inToolkit(root, () =>
    toolkit.findAllVersions(name, arch).map(version => ({ version, folder: toolkit.find(name, version, arch) }))
  )
    .filter(({ folder }) => folder !== '')
    .map(found => ({ ...found, current: statSync(marker(found.folder), { throwIfNoEntry: false })?.mtimeMs ?? 0 }))
    .sort((a, b) => b.current - a.current)
}

/**
 * A new folder to make a tool in, on the same disk as its place.
 * @param announce is told of every path that may be left behind, before it is made
 * @throws HostFailure
 */
export async function makeStaging(
  root: string,
  { name, run }: { readonly name: string; readonly run: string },
  announce: (path: string) => void
): Promise<string> {
  const staging = join(root, name, `.making-${run}`)
  for (const path of [staging, asideOf(staging)]) announce(path)
  try {
    await mkdir(staging, { recursive: true })
  } catch (error) {
    throw new HostFailure(
      {
        symptom: `the tool cache ${root} cannot be written: ${messageOf(error)}`,
        remedy: 'point RUNNER_TOOL_CACHE or PI_QEMU_HOME at a folder that can be'
      },
      { cause: error }
    )
  }
  return staging
}

/**
 * Puts a finished tool in its place, as the toolkit lays it out. The toolkit's own way empties the place and copies
 * into it, under the feet of whoever runs the tool from there: this one is a rename, so that the folder is whole from
 * the first moment, and the first of two runs wins.
 * @param isWhole asked of what is there already; if it is not, it gives way
 */
export async function placeTool(
  staging: string,
  root: string,
  { name, version, arch }: ToolKey,
  isWhole: (folder: string) => Promise<boolean>
): Promise<string> {
  const folder = join(root, name, version, arch)
  await mkdir(dirname(folder), { recursive: true })
  const damaged = asideOf(staging)
  if (!(await moved(staging, folder)) && !(await isWhole(folder))) {
    // Not emptied where it is: a run that has just started from it would lose half of it.
    await moved(folder, damaged)
    await moved(staging, folder)
  }
  for (const left of [staging, damaged]) await removeTree(left)
  await writeFile(marker(folder), '')
  return folder
}

/** Notes that a tool was looked after, and is still the current one. */
export async function touchTool({ folder }: Pick<CachedTool, 'folder'>): Promise<void> {
  const now = new Date()
  await utimes(marker(folder), now, now)
}

/** Where a damaged tool goes. */
const asideOf = (staging: string): string => `${staging}-damaged`

/** The toolkit takes a tool as whole if this is there. */
const marker = (folder: string): string => `${folder}.complete`

/** Renames unless something is there already. */
async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to)
    return true
  } catch (error) {
    if (['ENOTEMPTY', 'EEXIST'].includes((error as NodeJS.ErrnoException).code ?? '')) return false
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' && !existsSync(from)) return false
    throw error
  }
}

/**
 * The toolkit takes the folder from the environment, and prints debug commands for a runner to stdout, which is the
 * script's. Both are put right again before anything else gets to run.
 */
function inToolkit<T>(root: string, work: () => T): T {
  const before = process.env['RUNNER_TOOL_CACHE']
  const write = Object.getOwnPropertyDescriptor(process.stdout, 'write')
  process.env['RUNNER_TOOL_CACHE'] = root
  Object.defineProperty(process.stdout, 'write', { value: () => true, configurable: true, writable: true })
  try {
    return work()
  } finally {
    if (write === undefined) Reflect.deleteProperty(process.stdout, 'write')
    else Object.defineProperty(process.stdout, 'write', write)
    if (before === undefined) delete process.env['RUNNER_TOOL_CACHE']
    else process.env['RUNNER_TOOL_CACHE'] = before
  }
}
