import { mkdir, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isFeatureAvailable, restoreCache, saveCache } from '@actions/cache'
import { tool } from '../host/exec'
import type { SharedCache } from '../images'
import type { Journal } from '../journal'
import { messageOf } from '../report/errors'
import type { Log } from '../report/log'

/** Raise when what lies in an entry changes. */
const entryVersion = 1
/** A cache saves time; past this (ms) it does not. */
const patience = 180_000

/**
 * GitHub's Actions cache as a place for prepared images: a compressed qcow2, the boot files and the description. There
 * is nothing of a run in them, so an entry may be handed to a pull request from a fork. Whatever goes wrong here costs
 * time, never the run.
 */
export function actionsCache(exchange: string): SharedCache | undefined {
  if (!isFeatureAvailable()) return undefined
  // The service tells entries apart by their paths, too: they have to be the same in every job.
  const place = (key: string): string => join(exchange, key)
  return {
    async restore(key, build, { journal, log }) {
      return attempt('restored', log, journal, place(key), async folder => {
        const found = await restoreCache([folder], entryKey(key))
        if (found === undefined) return false
        await tool('qemu-img', [
          'convert',
          '-f',
          'qcow2',
          '-O',
          'raw',
          '-S',
          '4k',
          join(folder, 'disk.qcow2'),
          join(build, 'disk.img')
        ])
        for (const name of ['boot', 'meta.json']) await rename(join(folder, name), join(build, name))
        return true
      })
    },
    async save(key, prepared, { journal, log }) {
      return attempt('saved', log, journal, place(key), async folder => {
        await mkdir(folder)
        const zstd = ['-O', 'qcow2', '-c', '-o', 'compression_type=zstd']
        await tool('qemu-img', [
          'convert',
          '-f',
          'raw',
          ...zstd,
          join(prepared, 'disk.img'),
          join(folder, 'disk.qcow2')
        ])
        await tool('cp', ['-r', join(prepared, 'boot'), join(prepared, 'meta.json'), folder])
        // -1: refused, because another job was first, or because this one may not write.
        return (await saveCache([folder], entryKey(key))) !== -1
      })
    }
  }
}

const entryKey = (key: string): string => `pi-qemu-prepared-v${entryVersion}-${process.arch}-${key}`

async function attempt(
  what: string,
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
    log.warn(`The prepared image was not ${what}: ${messageOf(error)}`)
    return false
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
