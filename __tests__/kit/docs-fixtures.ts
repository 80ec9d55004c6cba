import { symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { linuxFiles } from './bare-kernels'
import { needsCompilers } from './cross-programs'

/** Where the commands of a block start, and what they find there. */
export interface Place {
  /** The current folder, empty at first. */
  readonly folder: string
  /** Overrides the home of the caches. */
  readonly home?: string
  /** Overrides the folder. */
  readonly start?: string
}

/** What a block of the documentation can ask for in its marker, by name. */
export const fixtures: Readonly<Record<string, (folder: string) => Promise<Partial<Place>>>> = {
  /** The block is for somebody in a clone of this repository. */
  clone: () => Promise.resolve({ start: join(__dirname, '../..') }),
  /** It removes things from the caches. */
  'own home': folder => Promise.resolve({ home: join(folder, '../home') }),
  'bare kernel': async folder => {
    const { kernel, tree, hello } = await linuxFiles()
    await symlink(kernel, join(folder, 'kernel8.img'))
    await symlink(tree, join(folder, 'bcm2837-rpi-3-b.dtb'))
    await symlink(hello, join(folder, 'hello.cpio'))
    return {}
  },
  'data.img': async folder => {
    await writeFile(join(folder, 'data.img'), Buffer.alloc(1024 * 1024))
    return {}
  },
  'hello.c': async folder => {
    await needsCompilers()
    await writeFile(join(folder, 'hello.c'), '#include <stdio.h>\nint main(void) { puts("hello"); return 0; }\n')
    return {}
  }
}
