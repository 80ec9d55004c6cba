import { copyFile, mkdir, readdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { tool } from '../host/exec'
import { takeBootFiles, type PreparedImage } from '../images'
import type { SharedKind } from './shared'

/** How a folder is made small for the way, and big again; the paths it is given exist. */
export interface Packing {
  readonly pack: (folder: string, into: string) => Promise<void>
  readonly unpack: (packed: string, into: string) => Promise<void>
}

/**
 * Half the way from fast to small. Measured on a Debian 12 image (figures in docs/speed-and-caching.md): a compressed
 * qcow2, whose clusters know nothing of each other, is a third larger; higher levels take four times as long for 2 %.
 * The window is what `zstd -d` takes without being told (2^27 bytes).
 */
const disk = { level: '-10', window: '--long=27' } as const

/** Below what boots and runs meanwhile. */
const inBackground = ['-n', '10'] as const

export const packings: Readonly<Record<SharedKind, Packing>> = {
  // The disk and its description. The boot files are in the disk, and are taken out of it again.
  prepared: {
    async pack(folder, into) {
      const zstd = ['zstd', '-q', '-T0', disk.level, disk.window, '-o', join(into, 'disk.img.zst')]
      await tool('nice', [...inBackground, ...zstd, join(folder, 'disk.img')])
      await copyFile(join(folder, 'meta.json'), join(into, 'meta.json'))
    },
    async unpack(packed, into) {
      const image = join(into, 'disk.img')
      // --sparse: what is zeros becomes holes again.
      await tool('zstd', ['-q', '-d', '--sparse', disk.window, '-o', image, join(packed, 'disk.img.zst')])
      const { bootFiles, layout } = JSON.parse(await readFile(join(packed, 'meta.json'), 'utf8')) as PreparedImage
      await mkdir(join(into, 'boot'))
      if (bootFiles.names.length > 0) await takeBootFiles(image, layout.boot.offset, join(into, 'boot'))
      await rename(join(packed, 'meta.json'), join(into, 'meta.json'))
    }
  },
  snapshot: { pack: copyAll, unpack: moveAll },
  kernel: { pack: copyAll, unpack: moveAll },
  qemu: { pack: copyAll, unpack: moveAll }
}

async function copyAll(folder: string, into: string): Promise<void> {
  await tool('cp', ['-a', '--reflink=auto', '--sparse=always', `${folder}/.`, into])
}

async function moveAll(packed: string, into: string): Promise<void> {
  const paths = (await readdir(packed)).map(name => join(packed, name))
  // Not a rename: a tool cache may be another file system.
  if (paths.length > 0) await tool('mv', ['-t', into, ...paths])
}
