import { readFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { HostFailure, messageOf } from '../report/errors'
import { png, readPixmap } from './png'
import type { Qmp } from './qmp'

/**
 * Writes what is on the machine's screen to a PNG file. QEMU gives a pixmap, which every version of it can (PNG needs
 * 7.1), and it is made a PNG here.
 * @param file relative to this process; an older one is replaced
 * @throws HostFailure if the machine has no display, or the file cannot be written
 */
export async function screenshot(qmp: Pick<Qmp, 'execute'>, file: string): Promise<void> {
  const target = resolve(file)
  const pixmap = `${target}.ppm`
  try {
    await qmp.execute('screendump', { filename: pixmap })
    await writeFile(target, png(readPixmap(await readFile(pixmap))))
  } catch (error) {
    throw noScreenshot(target, messageOf(error))
  } finally {
    await rm(pixmap, { force: true })
  }
}

function noScreenshot(file: string, why: string): HostFailure {
  // QEMU's words for a machine without a graphical console.
  if (/no console to take a screendump from/i.test(why))
    return new HostFailure({
      symptom: 'there is no screen to take a picture of',
      cause: 'the emulated board has no display (`virt` has one only with `vnc`)',
      remedy: 'use a Pi board, or `vnc` on `virt`'
    })
  return new HostFailure({ symptom: `the screenshot ${file} could not be made: ${why}` })
}
