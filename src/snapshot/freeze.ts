import { setTimeout as sleep } from 'node:timers/promises'
import type { Qmp } from '../qemu/qmp'
import { sealSnapshot } from './store'

export interface FreezeRequest {
  /** File for memory and devices, relative to QEMU's working directory; of letters that a shell takes as they are. */
  readonly memory: string
  /** File for what the guest writes from now on, relative as well. */
  readonly disk: string
  /** The folder of the snapshot. */
  readonly build: string
  /** Bytes. */
  readonly diskSize: number
}

/** Bytes a second: QEMU's own limit is made for networks. */
const unlimited = 1e12
/** ms; a GiB of memory takes one or two seconds. */
const patience = 120_000

/**
 * Saves a running machine and lets it run on. It stands still meanwhile, so that memory and disk belong together; from
 * then on it writes to an overlay on its disk, which no one writes any more.
 */
export async function freeze(qmp: Qmp, { memory, disk, build, diskSize }: FreezeRequest): Promise<void> {
  await qmp.execute('stop')
  await qmp.execute('blockdev-snapshot-sync', { device: 'disk', 'snapshot-file': disk, format: 'qcow2' })
  await qmp.execute('migrate-set-parameters', { 'max-bandwidth': unlimited })
  // The file names are ours: nothing in them means anything to a shell.
  await qmp.execute('migrate', { uri: `exec:cat > ${memory}` })
  await finished(qmp)
  await sealSnapshot(build, diskSize)
  await qmp.execute('cont')
}

/** Lets a machine run whose memory QEMU is still taking in: it was standing still when it was saved, and so it is here. */
export async function thaw(qmp: Qmp): Promise<void> {
  const deadline = Date.now() + patience
  while (Date.now() < deadline) {
    const { status } = (await qmp.execute('query-status')) as { readonly status: string }
    if (status !== 'inmigrate') {
      await qmp.execute('cont')
      return
    }
    await sleep(20)
  }
  throw new Error(`QEMU did not read the machine within ${patience / 1000} s`)
}

async function finished(qmp: Qmp): Promise<void> {
  const deadline = Date.now() + patience
  while (Date.now() < deadline) {
    const { status, 'error-desc': fault } = (await qmp.execute('query-migrate')) as {
      readonly status?: string
      readonly 'error-desc'?: string
    }
    if (status === 'completed') return
    if (status === 'failed' || status === 'cancelled')
      throw new Error(`QEMU cannot save this machine: ${fault ?? status}`)
    await sleep(30)
  }
  throw new Error(`QEMU did not save the machine within ${patience / 1000} s`)
}
