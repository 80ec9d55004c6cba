import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { HostFailure } from '../report/errors'
import { Ext4 } from './ext4'
import type { PreparedImage } from './prepared'
import { tryTool } from '../host/exec'

/** Where libraries are, and what tells the dynamic loader of others. */
const wanted = [
  '/lib',
  '/lib64',
  '/usr/lib',
  '/usr/local/lib',
  '/opt',
  '/etc/ld.so.cache',
  '/etc/ld.so.conf',
  '/etc/ld.so.conf.d'
]
/** Folders of these that no program loads from; they would be most of it. */
const unwanted = new Set(['/usr/lib/modules', '/usr/lib/firmware', '/lib/modules', '/lib/firmware'])

/**
 * Copies the libraries of an image into a folder, as this user's.
 * @throws HostFailure
 */
export async function libraryFiles(image: PreparedImage, into: string, scratch: string): Promise<void> {
  const root = new Ext4(image.disk, image.layout.root.offset)
  const commands: string[] = []
  for (const path of wanted) {
    const kind = await root.kindOf(path)
    if (kind === undefined) continue
    await mkdir(join(into, dirname(path)), { recursive: true })
    const names = kind === 'directory' ? (await root.list(path)).map(name => `${path}/${name}`) : [path]
    if (kind === 'directory') await mkdir(join(into, path), { recursive: true })
    for (const file of names.filter(name => !unwanted.has(name))) {
      const target = join(into, dirname(file))
      if (/["\n]/.test(basename(file))) continue
      commands.push(`rdump "${file}" "${target}"`)
    }
  }
  const script = join(scratch, 'libraries')
  await writeFile(script, commands.join('\n') + '\n')
  const { code, stderr } = await tryTool('debugfs', ['-f', script, root.device])
  const faults = stderr.split('\n').filter(line => line !== '' && !/^debugfs |changing ownership/.test(line))
  if (code !== 0 || faults.length > 0)
    throw new HostFailure({
      symptom: `the libraries could not be taken out of the image:\n${faults.slice(0, 5).join('\n')}`
    })
}
