import { copyFile, rename, rm, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { tool, toolFailure, tryTool } from '../host/exec'
import type { DiskFormat } from '../inputs'
import type { Journal } from '../journal'
import { mib, type Log } from '../report/log'
import { Ext4, type Edit } from './ext4'
import { eraseSlots, type RunKeys } from './keys'
import { usedSize } from './partitions'
import type { PreparedImage } from './prepared'

/** A disk that nobody writes to any more. */
export interface DiskFile {
  readonly path: string
  readonly format: 'raw' | 'qcow2'
}

export interface SaveRequest {
  readonly image: PreparedImage
  readonly disk: DiskFile
  /** What this run wrote into the image's slots, if anything. */
  readonly keys: Partial<RunKeys['slots']>
  readonly target: { readonly path: string; readonly format: DiskFormat }
  readonly journal: Journal
  readonly log: Log
}

/**
 * Writes the changed disk of a switched-off guest to a file. What provisioning added is taken out, the keys of the
 * run first of all, so that nobody who gets the image gets in with them.
 */
export async function saveDisk({ image, disk, keys, target, journal, log }: SaveRequest): Promise<void> {
  const raw = join(journal.folder, 'save.img')
  await tool('qemu-img', ['convert', '-f', disk.format, '-O', 'raw', '-S', '4k', disk.path, raw])
  const end = usedSize(await tool('sfdisk', ['--json', raw]))
  // The overlay was rounded up to a card's size; what lies behind the partitions is empty.
  await truncate(raw, Math.max(end, image.diskSize))

  const check = ['-f', '-p', `${raw}?offset=${image.layout.root.offset}`]
  const { code, stdout, stderr } = await tryTool('e2fsck', check)
  // 1: corrected, as after a guest that was not switched off in order.
  if (code > 1) throw toolFailure('e2fsck', check, code, stdout + stderr)
  const root = new Ext4(raw, image.layout.root.offset)
  await eraseSlots(raw, image.slots, keys)
  if (keys.password !== undefined) await forgetPassword(root, raw, keys.password)
  const removals = image.created.map(path => ({ kind: 'remove', path }) as const)
  await root.apply([...removals, ...(await restorations(root, image.replaced))], journal.folder)

  const made = await converted(raw, target.format)
  const partial = `${target.path}.partial`
  journal.record({ kind: 'partial', path: partial })
  await rename(made, partial).catch(async () => {
    await copyFile(made, partial)
  })
  await rename(partial, target.path)
  journal.record({ kind: 'done', path: partial })
  await rm(raw, { force: true })
  log.info(`Saved ${target.path} (${mib((await stat(target.path)).size)})`)
}

/** What gives files their own text back, unless somebody else has changed them. */
async function restorations(root: Ext4, replaced: PreparedImage['replaced']): Promise<readonly Edit[]> {
  const now = await Promise.all(replaced.map(({ path }) => root.readText(path)))
  return replaced
    .filter(({ after }, at) => now[at] === after)
    .map(({ path, before }) => ({ kind: 'file', path, content: before, mode: 0o644 }))
}

/** Programs that add users write /etc/shadow anew, with the run's password in it, and keep the old one. */
async function forgetPassword(root: Ext4, raw: string, hash: Buffer): Promise<void> {
  for (const path of ['/etc/shadow', '/etc/shadow-']) {
    const at = Buffer.from((await root.readText(path)) ?? '').indexOf(hash)
    if (at < 0) continue
    const runs = await root.locate(path, at, hash.length)
    await eraseSlots(raw, [{ content: 'password', runs }], { password: hash })
  }
}

async function converted(raw: string, format: DiskFormat): Promise<string> {
  switch (format) {
    case 'raw':
      return raw
    case 'qcow2':
      await tool('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', '-c', raw, `${raw}.qcow2`])
      return `${raw}.qcow2`
    case 'xz':
      await tool('xz', ['-T0', '-3', raw])
      return `${raw}.xz`
    case 'zst':
      await tool('zstd', ['-q', '-T0', '--rm', raw])
      return `${raw}.zst`
  }
}
