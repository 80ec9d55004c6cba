import { statfs } from 'node:fs/promises'
import { HostFailure } from '../report/errors'
import { mib } from '../report/log'

/**
 * Ends a run that the disk has no room for, before anything is downloaded.
 * @param folder on the file system that is to hold it
 * @param bytes that are known to be needed
 * @throws HostFailure if fewer are free
 */
export async function requireSpace(folder: string, bytes: number, what: string): Promise<void> {
  const { bavail, bsize } = await statfs(folder)
  const free = bavail * bsize
  if (bytes <= free) return
  throw new HostFailure({
    symptom: `the disk is too small for ${what}, which takes up to ${mib(bytes)}: ${mib(free)} are free for ${folder}`,
    cause: 'an image is downloaded and unpacked before it is booted',
    remedy: 'free some space, point PI_QEMU_HOME at a larger disk, or take a smaller image (a “lite” one)'
  })
}
