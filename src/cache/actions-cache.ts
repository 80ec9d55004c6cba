import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache'
import { messageOf } from '../report/errors'
import { mib } from '../report/log'
import { cacheLimits } from './limits'
import { packings } from './packing'
import { complaint, quietly, reservation } from './quiet'
import type { SharedCache, SharedEntry, SharedKind, SharedPlace } from './shared'

/** Raise when what lies in an entry changes. */
const entryVersion = 3

const names: Readonly<Record<SharedKind, string>> = {
  prepared: 'the prepared image',
  snapshot: 'the booted snapshot',
  kernel: "Debian's kernel",
  qemu: 'QEMU'
}

const entryKey = ({ kind, key }: SharedEntry): string => `pi-qemu-${kind}-v${entryVersion}-${process.arch}-${key}`

/** What went wrong with the cache, in words. */
class CacheFault extends Error {}

/** How long (ms) a folder in the exchange may be another run's work; older ones were left behind by a crash. */
const staleAfter = 60 * 60 * 1000

/**
 * GitHub's Actions cache, for folders that other jobs can use. There is nothing of a run in them, so an entry may be
 * handed to a pull request from a fork. Whatever goes wrong here costs time, never the run: it is said once, and a
 * cache that did not answer, or refused, is not asked again.
 */
export function actionsCache(exchange: string, env: Readonly<NodeJS.ProcessEnv>): SharedCache | undefined {
  if (!isFeatureAvailable()) return undefined
  const limits = cacheLimits(env)
  let [isDown, hasWarned] = [false, false]
  const fault = (what: string, why: string, { log }: SharedPlace, isService = true): void => {
    isDown ||= isService
    if (hasWarned) log.info(`${what}: ${why}`)
    else log.warn(`${what}: ${why}`)
    hasWarned = true
  }
  return {
    canSave: true,
    async restore(entry, into, place) {
      const [name, key] = [names[entry.kind], entryKey(entry)]
      if (isDown) return false
      const folder = folderOf(exchange, entry)
      try {
        const found = await ask(
          () => restoreCache([folder], key, undefined, { lookupOnly: true }),
          limits.lookup,
          'no answer to a look-up'
        )
        if (found !== key) return false
      } catch (error) {
        fault(`The Actions cache was not used`, messageOf(error), place)
        return false
      }
      const done = await inExchange(folder, place, async () => {
        const began = performance.now()
        try {
          const found = await ask(() => restoreCache([folder], key), limits.restore, 'no end of the download')
          if (found !== key) return false
        } catch (error) {
          fault(`${upper(name)} was not restored from the Actions cache`, messageOf(error), place, isLate(error))
          return false
        }
        try {
          await place.tools?.()
          await packings[entry.kind].unpack(folder, into)
        } catch (error) {
          await empty(into)
          fault(`${upper(name)} in the Actions cache is damaged`, messageOf(error), place, false)
          return false
        }
        place.log.info(`Took ${name} from the Actions cache (${((performance.now() - began) / 1000).toFixed(1)} s)`)
        return true
      })
      return done ?? false
    },
    async save(entry, from, place) {
      const [name, key] = [names[entry.kind], entryKey(entry)]
      if (isDown) return false
      const folder = folderOf(exchange, entry)
      const done = await inExchange(folder, place, async () => {
        const began = performance.now()
        try {
          await packings[entry.kind].pack(from, folder)
          const bytes = await sizeOf(folder)
          const lines: string[] = []
          const id = await ask(() => saveCache([folder], key), limits.save(bytes), 'no end of the upload', lines)
          const reserved = id === -1 ? reservation(lines) : undefined
          if (reserved === 'taken') {
            place.log.info(`The Actions cache has ${name} already: another job was first`)
            return false
          }
          if (reserved !== undefined) throw new CacheFault(`this job may not write to it (${reserved.refused})`)
          if (id === -1) return false
          const seconds = ((performance.now() - began) / 1000).toFixed(1)
          place.log.info(`Saved ${name} in the Actions cache (${mib(bytes)}, ${seconds} s)`)
          return true
        } catch (error) {
          fault(`${upper(name)} was not saved in the Actions cache`, messageOf(error), place)
          return false
        }
      })
      return done ?? false
    }
  }
}

const isLate = (error: unknown): boolean => error instanceof Late

class Late extends CacheFault {}

/**
 * One request of the library, bounded in time. What it says itself is not shown: a complaint becomes a fault.
 * @throws CacheFault
 */
async function ask<T>(request: () => Promise<T>, limit: number, late: string, lines: string[] = []): Promise<T> {
  const timer = new AbortController()
  const bell = sleep(limit, undefined, { signal: timer.signal }).then(() => {
    throw new Late(`${late} within ${Math.ceil(limit / 1000)} s`)
  })
  try {
    const answer = await Promise.race([quietly(request, lines), bell])
    const wrong = complaint(lines)
    if (wrong !== undefined) throw new CacheFault(wrong)
    return answer
  } finally {
    bell.catch(() => undefined)
    timer.abort()
  }
}

/** The service tells entries apart by their paths, too: they have to be the same in every job. */
const folderOf = (exchange: string, { kind, key }: SharedEntry): string => join(exchange, `${kind}-${key}`)

/**
 * Does `work` while a folder of the exchange is ours. Another run on this machine may be at the same entry; then there
 * is nothing to do, and the answer is undefined.
 */
async function inExchange<T>(
  folder: string,
  { journal, log }: SharedPlace,
  work: () => Promise<T>
): Promise<T | undefined> {
  await mkdir(dirname(folder), { recursive: true })
  journal.record({ kind: 'partial', path: folder })
  try {
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Infinity }))
    if (Date.now() - mtimeMs > staleAfter) await rm(folder, { recursive: true, force: true })
    await mkdir(folder)
  } catch {
    journal.record({ kind: 'done', path: folder })
    log.info('Another run on this machine exchanges the same with the Actions cache')
    return undefined
  }
  try {
    return await work()
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

async function empty(folder: string): Promise<void> {
  for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true })
}

async function sizeOf(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const files = entries.filter(entry => entry.isFile()).map(entry => stat(join(entry.parentPath, entry.name)))
  return (await Promise.all(files)).reduce((sum, { size }) => sum + size, 0)
}

const upper = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
