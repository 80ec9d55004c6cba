import { execFileSync } from 'node:child_process'
import { statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { Ext4 } from '../../../src/images/ext4'
import { makeExt4 } from '../../../src/images/make-ext4'
import { growDisk, largerTable } from '../../../src/images/grow'
import { inspectDisk, parsePartitions } from '../../../src/images/partitions'
import type { Log } from '../../../src/report/log'
import { scratchFolder } from '../scratch'

const MiB = 1024 * 1024
const scratch = scratchFolder()

const said: string[] = []
const log: Log = {
  info: text => said.push(text),
  warn: () => undefined,
  error: () => undefined,
  debug: () => undefined,
  group: () => undefined,
  endGroup: () => undefined,
  progress: () => undefined
}

const run = (name: string, args: readonly string[], input?: string): string =>
  execFileSync(name, [...args], { encoding: 'utf8', input, stdio: ['pipe', 'pipe', 'pipe'] })

const tables = {
  mbr: ['label: dos', 'label-id: 0x4e639091', 'start=4MiB,size=16MiB,type=c', 'start=20MiB,size=30MiB,type=83'],
  gpt: [
    ...['label: gpt', 'label-id: 11111111-2222-3333-4444-555555555555'],
    'start=4MiB,size=16MiB,type=EBD0A0A2-B9E5-4433-87C0-68B6B72699C7,uuid=AAAAAAAA-0000-0000-0000-000000000001',
    'start=20MiB,size=29MiB,type=linux,uuid=AAAAAAAA-0000-0000-0000-000000000002,name="root, size=1 fs"'
  ]
} as const

/** A disk of 50 MiB with a file in its root, and a mark in its boot partition. */
async function disk(table: readonly string[]): Promise<{ readonly file: string; readonly folder: string }> {
  const folder = scratch.fresh()
  const file = join(folder, 'disk, with a comma.img')
  run('truncate', ['-s', '50M', file])
  run('sfdisk', ['--quiet', '--no-reread', file], `${table.join('\n')}\n`)
  run('dd', ['of=' + file, 'bs=1M', 'seek=5', 'conv=notrunc', 'status=none'], 'boot partition')
  await makeExt4({ file, offset: 20 * MiB, size: 29 * MiB, label: 'root' })
  await new Ext4(file, 20 * MiB).apply([{ kind: 'file', path: '/kept', content: 'still here', mode: 0o600 }], folder)
  return { file, folder }
}

describe.each(Object.entries(tables))('a disk with an %s table', (_, table) => {
  test('grows with its root partition and file system; all IDs and contents stay', async () => {
    const { file, folder } = await disk(table)
    const before = await inspectDisk(file)
    await growDisk(file, 200 * MiB, folder, log)
    const after = await inspectDisk(file)
    expect(statSync(file).size).toBe(200 * MiB)
    expect(after.boot).toEqual(before.boot)
    expect({ ...after.root, size: 0 }).toEqual({ ...before.root, size: 0 })
    expect(after.root.size).toBeGreaterThanOrEqual(178 * MiB)
    const root = `${file}?offset=${20 * MiB}`
    expect(run('e2fsck', ['-f', '-n', root])).toContain('files')
    const blocks = Number(/^Block count:\s+(\d+)/m.exec(run('dumpe2fs', ['-h', root]))?.[1])
    expect(blocks * 4096).toBeGreaterThan(177 * MiB)
    expect(await new Ext4(file, 20 * MiB).readText('/kept')).toBe('still here')
    expect(run('dd', ['if=' + file, 'bs=1M', 'skip=5', 'count=1', 'status=none'])).toMatch(/^boot partition\0/)
    // Sparse: it takes no more of the host's disk than it has to.
    expect(statSync(file).blocks * 512).toBeLessThan(60 * MiB)
    expect(said.at(-1)).toMatch(/^Disk: 200 MiB instead of 50 MiB, root file system 1(79|80) MiB$/)
    expect(run('sfdisk', ['--verify', file])).toContain('No errors detected')
  })
})

test('a size below the image is refused with the least that there is', async () => {
  const { file, folder } = await disk(tables.mbr)
  await expect(growDisk(file, 49 * MiB, folder, log)).rejects.toThrow(
    'input `disk-size` is 49 MiB, but the image has 50 MiB already; valid: 50M or more'
  )
})

test('the size that it has is no work', async () => {
  const { file, folder } = await disk(tables.mbr)
  const before = statSync(file).mtimeMs
  await growDisk(file, 50 * MiB, folder, log)
  expect(statSync(file).mtimeMs).toBe(before)
})

test('a root partition that is not the last cannot grow, and that is said', async () => {
  const { file, folder } = await disk([...tables.mbr.slice(0, 3), 'start=20MiB,size=29MiB,type=83'])
  truncateSync(file, 60 * MiB)
  run('sfdisk', ['--quiet', '--no-reread', '--append', file], 'start=50MiB,size=5MiB,type=83\n')
  await expect(growDisk(file, 200 * MiB, folder, log)).rejects.toThrow(
    'the root partition (2) cannot grow: partition 3 lies behind it'
  )
  expect(parsePartitions(run('sfdisk', ['--json', file]))).toHaveLength(3)
})

test('of a table only the end of the disk and the size of that partition go', () => {
  const dump =
    'label: gpt\nlabel-id: A\ndevice: /x/disk7.img\nfirst-lba: 34\nlast-lba: 102366\n\n' +
    '/x/disk7.img1 : start=  8192, size=  32768, type=B, name="size=1, 2 : start="\n' +
    '/x/disk7.img2 : start= 40960, size=  59392, type=C, name="root"\n'
  expect(largerTable(dump, 2)).toBe(
    'label: gpt\nlabel-id: A\ndevice: /x/disk7.img\nfirst-lba: 34\n\n' +
      '/x/disk7.img1 : start=  8192, size=  32768, type=B, name="size=1, 2 : start="\n' +
      '/x/disk7.img2 : start= 40960, type=C, name="root"\n'
  )
})
