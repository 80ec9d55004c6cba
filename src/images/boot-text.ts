import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tool } from '../host/exec'
import { HostFailure } from '../report/errors'
import type { Partition } from './partitions'

/** The FAT of a Pi image may be larger or smaller than its partition says; mtools would refuse it. */
export const fatTools = { env: { MTOOLS_SKIP_CHECK: '1' } } as const

/**
 * A text file on the boot partition as it is in a run's overlay now. Only while no QEMU writes to it.
 * @param folder for a scratch file
 */
export async function readBootText(overlay: string, boot: Partition, name: string, folder: string): Promise<string> {
  const fat = join(folder, 'boot.fat')
  const file = overlay.replaceAll(',', ',,')
  const part = `driver=raw,offset=${boot.offset},size=${boot.size},file.driver=qcow2,file.file.filename=${file}`
  await tool('qemu-img', ['convert', '-O', 'raw', '--image-opts', part, fat])
  try {
    return await tool('mtype', ['-i', fat, `::${name}`], fatTools)
  } catch (error) {
    throw new HostFailure(
      { symptom: `the boot partition has no ${name} that can be read`, remedy: 'use `first-boot: skip`' },
      { cause: error }
    )
  } finally {
    await rm(fat, { force: true })
  }
}
