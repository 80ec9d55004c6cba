import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { parseArgs } from 'node:util'
import { localEntries, removeEntry, toEvict, type LocalEntry } from '../cache/evict'
import type { Home } from '../host/paths'
import { parseInputs } from '../inputs'
import { pathsInUse } from '../journal'
import { BadInput } from '../report/errors'
import { mib, type Log } from '../report/log'

interface Place {
  readonly home: Home
  readonly print: (line: string) => void
  readonly log: Log
}

interface Flags {
  readonly json: boolean
  readonly remove: readonly string[]
  /** Bytes to keep to; undefined if nothing is to be pruned. */
  readonly prune: number | undefined
}

/**
 * `pi-qemu cache`: what is cached on this machine, what it takes and when it was last used. With `--remove` or
 * `--prune` entries go; those that a living run uses stay.
 * @returns 1 if something that was named is not there, or is in use
 */
export async function cacheCommand(args: readonly string[], { home, print, log }: Place): Promise<number> {
  const { json, remove, prune } = flags(args)
  const entries = await localEntries(home)
  const inUse = pathsInUse(home.runs)
  if (remove.length > 0 || prune !== undefined) {
    const unknown = remove.filter(name => !entries.some(({ path }) => basename(path) === name))
    for (const name of unknown) log.error(`nothing called ${name} is cached`)
    const named = entries.filter(({ path }) => remove.includes(basename(path)))
    const going = [...new Set([...named, ...(prune === undefined ? [] : toEvict(entries, prune, inUse))])]
    const busy = going.filter(({ path }) => inUse.has(path))
    for (const { path } of busy) log.warn(`${basename(path)} is in use by a living run, and was kept`)
    const gone = await removed(
      going.filter(entry => !busy.includes(entry)),
      home
    )
    for (const entry of gone) print(`removed ${line(entry)}`)
    return unknown.length === 0 && busy.length === 0 ? 0 : 1
  }
  const listed = await Promise.all(entries.map(async entry => ({ ...entry, what: await titleOf(entry) })))
  listed.sort((a, b) => b.lastUse - a.lastUse)
  if (json) {
    const rows = listed.map(({ kind, path, bytes, lastUse, what }) => ({
      ...{ name: basename(path), kind, bytes, what, inUse: inUse.has(path) },
      lastUse: new Date(lastUse).toISOString()
    }))
    print(JSON.stringify(rows, undefined, 2))
    return 0
  }
  // A note on a source takes a block, and there are many.
  const worth = listed.filter(({ kind }) => kind !== 'source')
  for (const entry of worth) print(`${line(entry)}${inUse.has(entry.path) ? ', in use' : ''}`)
  const notes = listed.length - worth.length
  print(`${mib(entries.reduce((sum, { bytes }) => sum + bytes, 0))} in ${home.root}; ${notes} note(s) on sources`)
  return 0
}

function line(entry: LocalEntry & { readonly what?: string | undefined }): string {
  const { kind, path, bytes, lastUse, what } = entry
  const used = new Date(lastUse).toISOString().slice(0, 16).replace('T', ' ')
  return `${kind.padEnd(8)} ${basename(path)}  ${mib(bytes)}, used ${used}${what === undefined ? '' : `, ${what}`}`
}

async function removed(going: readonly LocalEntry[], home: Home): Promise<readonly LocalEntry[]> {
  if (going.length === 0) return []
  const workDir = await mkdtemp(join(home.root, 'removed-'))
  try {
    const gone: LocalEntry[] = []
    for (const entry of going) if (await removeEntry(entry, home, workDir)) gone.push(entry)
    return gone
  } finally {
    await rm(workDir, { recursive: true, force: true })
  }
}

/** What an image calls itself. */
async function titleOf({ kind, path }: LocalEntry): Promise<string | undefined> {
  if (kind !== 'image') return undefined
  try {
    const meta = JSON.parse(await readFile(join(path, 'meta.json'), 'utf8')) as {
      readonly title?: string
      readonly provenance?: { readonly base: string }
    }
    const from = meta.provenance === undefined ? '' : `, prepared from ${meta.provenance.base}`
    return meta.title && `${meta.title}${from}`
  } catch {
    return 'not whole'
  }
}

function flags(args: readonly string[]): Flags {
  const options = {
    json: { type: 'boolean' },
    remove: { type: 'string', multiple: true },
    prune: { type: 'string' }
  } as const
  try {
    const { values } = parseArgs({ args: [...args], options, allowPositionals: false })
    const raw = { sync: 'none', 'cache-max-size': values.prune ?? '' }
    const { cacheMaxSize } = parseInputs(raw, { env: {}, workspace: process.cwd() })
    const prune = values.prune === undefined ? undefined : cacheMaxSize
    return { json: values.json === true, remove: values.remove ?? [], prune }
  } catch (error) {
    if (error instanceof BadInput) throw error
    throw new BadInput([
      `${/^[^.]*/.exec((error as Error).message)?.[0] ?? ''}; \`pi-qemu cache\` takes --json, --remove NAME, --prune SIZE`
    ])
  }
}
