import { rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tool, toolFailure, tryTool } from '../host/exec'
import { BadInput, HostFailure } from '../report/errors'
import { mib, type Log } from '../report/log'
import { inspectDisk, parsePartitions } from './partitions'

const MiB = 1024 * 1024

/**
 * Grows a raw disk image to `size` bytes: the disk, its root partition (MBR or GPT) and the ext4 in it. resize2fs
 * knows only file systems that start at the first byte of a file, so the root partition is taken out, grown, and put
 * into a new disk; holes stay holes on the way.
 * @throws BadInput if the image is larger than that; HostFailure if the root partition is not the last one
 */
export async function growDisk(disk: string, size: number, workDir: string, log: Log): Promise<void> {
  const before = (await stat(disk)).size
  if (size < before) throw new BadInput([tooSmall(size, before)])
  if (size === before) return
  const { root } = await inspectDisk(disk)
  const behind = parsePartitions(await tool('sfdisk', ['--json', disk])).filter(({ offset }) => offset > root.offset)
  if (behind.length > 0) {
    throw new HostFailure({
      symptom: `the root partition (${root.number}) cannot grow: partition ${behind.map(({ number }) => number).join(', ')} lies behind it`,
      remedy: 'leave out `disk-size`, or use an image whose root partition is the last one'
    })
  }
  const table = await tool('sfdisk', ['--dump', disk])
  const [grown, rootFile] = [join(workDir, 'grown.img'), join(workDir, 'root.img')]
  try {
    await copyRange(disk, root.offset, root.size, rootFile, 0, root.size)
    // The new disk's table first: how much a GPT leaves free behind its last partition is sfdisk's to know.
    await copyRange(disk, 0, root.offset, grown, 0, size)
    await tool('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', grown], {
      input: largerTable(table, root.number)
    })
    const room = await partition(grown, root.number)
    await truncate(rootFile, room.size)
    const check = ['-f', '-p', rootFile]
    const { code, stdout, stderr } = await tryTool('e2fsck', check)
    if (code > 1) throw toolFailure('e2fsck', check, code, stdout + stderr)
    await tool('resize2fs', [rootFile])
    await copyRange(rootFile, 0, room.size, grown, room.offset, size)
    await rename(grown, disk)
    log.info(`Disk: ${mib(size)} instead of ${mib(before)}, root file system ${mib(room.size)}`)
  } finally {
    await rm(rootFile, { force: true })
    await rm(grown, { force: true })
  }
}

function tooSmall(size: number, minimum: number): string {
  return `input \`disk-size\` is ${mib(size)}, but the image has ${mib(minimum)} already; valid: ${Math.ceil(minimum / MiB)}M or more`
}

async function partition(disk: string, number: number): Promise<{ readonly offset: number; readonly size: number }> {
  const found = parsePartitions(await tool('sfdisk', ['--json', disk])).find(row => row.number === number)
  if (found === undefined) throw new HostFailure({ symptom: `the grown disk has lost its partition ${number}` })
  return found
}

/**
 * The table that `sfdisk --dump` printed, for a larger disk: without the end of the smaller one, and with a partition
 * that takes what room there is. All IDs stay.
 */
export function largerTable(dump: string, number: number): string {
  const isOwn = (line: string): boolean => {
    const node = line.split(' : start=')[0] ?? ''
    return node !== line && Number(/\d+$/.exec(node)?.[0]) === number
  }
  return dump
    .split('\n')
    .filter(line => !line.startsWith('last-lba:'))
    .map(line => (isOwn(line) ? line.replace(/( : start=\s*\d+, )size=\s*\d+, /, '$1') : line))
    .join('\n')
}

/** Copies bytes between raw files without writing holes. `to` is made with `total` bytes if it is not there. */
async function copyRange(
  from: string,
  at: number,
  length: number,
  to: string,
  target: number,
  total: number
): Promise<void> {
  const size = await stat(to).then(
    found => found.size,
    () => undefined
  )
  if (size === undefined) {
    await writeFile(to, '')
    await truncate(to, total)
  }
  const range = (file: string, offset: number): string =>
    `driver=raw,offset=${offset},size=${length},file.driver=file,file.filename=${file.replaceAll(',', ',,')}`
  await tool('qemu-img', [
    ...['convert', '-n', '--target-is-zero', '-S', '4k'],
    ...['--image-opts', range(from, at), '--target-image-opts', range(to, target)]
  ])
}
