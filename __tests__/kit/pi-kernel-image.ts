import { copyFile, readFile, rm, writeFile } from 'node:fs/promises'
import { debianImage } from './debian-image'
import { kitCache, madeOnce } from './once'
import { run } from './run'
import { basename, join } from 'node:path'

/** What the kernel of {@link piKernelImage} calls itself. */
export const piRelease = '6.6.31+rpt-rpi-v8'

/**
 * The kit's Debian image with a kernel8.img that calls itself Raspberry Pi's, so that it is not taken for one with
 * virtio drivers. (The system's own modules no longer fit what it says, as on a real Pi image on `virt`.)
 */
export async function piKernelImage(): Promise<string> {
  const from = await debianImage()
  return madeOnce(join(kitCache, `pi-kernel-${basename(from)}`), async unfinished => {
    await copyFile(from, unfinished)
    const kernel = `${unfinished}.kernel8`
    const volume = ['-i', `${unfinished}@@4M`]
    await run('mcopy', ['-n', ...volume, '::kernel8.img', kernel])
    const bytes = await readFile(kernel)
    const banner = Buffer.from('Linux version ')
    for (let at = bytes.indexOf(banner); at !== -1; at = bytes.indexOf(banner, at + 1))
      bytes.write(`${piRelease} (`, at + banner.length, 'latin1')
    await writeFile(kernel, bytes)
    await run('mcopy', ['-o', ...volume, kernel, '::kernel8.img'])
    await rm(kernel)
  })
}
