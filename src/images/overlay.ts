import { join } from 'node:path'
import { tool } from '../host/exec'
import { writeSlot, type RunKeys } from './keys'
import type { PreparedImage } from './prepared'

/** SD cards have a size that is a power of two; QEMU refuses others. */
export function cardSize(bytes: number): number {
  return 2 ** Math.ceil(Math.log2(bytes))
}

/**
 * Makes the disk of one run: a qcow2 overlay on the prepared image, with the run's keys written into their slots.
 * All writes of the guest go there.
 */
export async function makeOverlay(image: PreparedImage, keys: RunKeys, folder: string, name: string): Promise<void> {
  const overlay = join(folder, name)
  await tool('qemu-img', [
    'create',
    '-q',
    '-f',
    'qcow2',
    '-F',
    'raw',
    '-b',
    image.disk,
    overlay,
    String(cardSize(image.diskSize))
  ])
  for (const { content, runs } of image.slots) {
    const bytes = keys.slots[content]
    if (bytes !== undefined) await writeSlot(overlay, runs, bytes, folder)
  }
}
