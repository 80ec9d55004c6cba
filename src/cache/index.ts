import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache'
import { tool } from '../host/exec'
import type { Journal } from '../journal'
import { messageOf } from '../report/errors'
import type { Log } from '../report/log'
import type { SharedCache, SharedEntry, SharedKind } from './shared'

export type { SharedCache, SharedEntry, SharedKind } from './shared'

/** Raise when what lies in an entry changes. */
const entryVersion = 2
/** A cache saves time; past this (ms) it does not. */
const patience = 180_000

/** How a folder is made small for the way, and big again; the paths it is given exist. */
interface Packing {
  readonly pack: (folder: string, into: string) => Promise<void>
  readonly unpack: (packed: string, into: string) => Promise<void>
}

const packings: Readonly<Record<SharedKind, Packing>> = {
  // A compressed qcow2, the boot files and the description.
  prepared: {
    async pack(folder, into) {
      const zstd = ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd']
      await tool('qemu-img', ['convert', '-f', 'raw', ...zstd, join(folder, 'disk.img'), join(into, 'disk.qcow2')])
      await tool('cp', ['-r', join(folder, 'boot'), join(folder, 'meta.json'), into])
    },
    async unpack(packed, into) {
      const raw = ['-f', 'qcow2', '-O', 'raw', '-S', '4k']
      await tool('qemu-img', ['convert', ...raw, join(packed, 'disk.qcow2'), join(into, 'disk.img')])
      for (const name of ['boot', 'meta.json']) await rename(join(packed, name), join(into, name))
    }
  },
  snapshot: { pack: copyAll, unpack: moveAll },
  kernel: { pack: copyAll, unpack: moveAll },
  qemu: { pack: copyAll, unpack: moveAll }
}

/**
 * GitHub's Actions cache, for folders that other jobs can use. There is nothing of a run in them, so an entry may be
 * handed to a pull request from a fork. Whatever goes wrong here costs time, never the run.
 */
export function actionsCache(exchange: string): SharedCache | undefined {
  if (!isFeatureAvailable()) return undefined
  // The service tells entries apart by their paths, too: they have to be the same in every job.
  const place = ({ kind, key }: SharedEntry): string => join(exchange, `${kind}-${key}`)
  return {
    async restore(entry, into, { journal, log }) {
      return attempt(`${names[entry.kind]} was not restored`, log, journal, place(entry), async folder => {
        if ((await restoreCache([folder], entryKey(entry))) === undefined) return false
        await packings[entry.kind].unpack(folder, into)
        return true
      })
    },
    async save(entry, from, { journal, log }) {
      return attempt(`${names[entry.kind]} was not saved`, log, journal, place(entry), async folder => {
        await mkdir(folder)
        await packings[entry.kind].pack(from, folder)
        // -1: refused, because another job was first, or because this one may not write.
        return (await saveCache([folder], entryKey(entry))) !== -1
      })
    }
  }
}

const names: Readonly<Record<SharedKind, string>> = {
  prepared: 'The prepared image',
  snapshot: 'The booted snapshot',
  kernel: "Debian's kernel",
  qemu: 'QEMU'
}

const entryKey = ({ kind, key }: SharedEntry): string => `pi-qemu-${kind}-v${entryVersion}-${process.arch}-${key}`

async function copyAll(folder: string, into: string): Promise<void> {
  await tool('cp', ['-a', '--reflink=auto', '--sparse=always', `${folder}/.`, into])
}

async function moveAll(packed: string, into: string): Promise<void> {
  for (const name of await readdir(packed)) await rename(join(packed, name), join(into, name))
}

async function attempt(
  failed: string,
  log: Log,
  journal: Journal,
  folder: string,
  work: (folder: string) => Promise<boolean>
): Promise<boolean> {
  journal.record({ kind: 'partial', path: folder })
  await mkdir(dirname(folder), { recursive: true })
  try {
    const late = sleep(patience, undefined, { ref: false }).then(() => {
      throw new Error(`no result after ${patience / 1000} s`)
    })
    return await Promise.race([work(folder), late])
  } catch (error) {
    log.warn(`${failed}: ${messageOf(error)}`)
    return false
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
