import { spawnSync } from 'node:child_process'
import { closeSync, openSync, truncateSync, writeFileSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { inspectDisk, parsePartitions } from '../../../src/images/partitions'
import { describeFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const MiB = 1024 * 1024

/** A sparse disk with a partition table, and ext4's magic number at the start of some partitions (in MiB). */
function disk(table: readonly string[], ext4At: readonly number[] = []): string {
  const path = join(scratch.fresh(), 'disk.img')
  writeFileSync(path, '')
  truncateSync(path, 128 * MiB)
  const input = `${table.join('\n')}\n`
  const { status, stderr } = spawnSync('sfdisk', ['-q', '--no-reread', '--no-tell-kernel', path], { input })
  expect([status, String(stderr)]).toEqual([0, ''])
  const file = openSync(path, 'r+')
  for (const start of ext4At) writeSync(file, Buffer.from([0x53, 0xef]), 0, 2, start * MiB + 1024 + 56)
  closeSync(file)
  return path
}

const mbr = ['label: dos', 'label-id: 0x4e639091']
const gpt = ['label: gpt']

/** What is said about a disk that has not all it needs. */
const complaint = (path: string): Promise<string> =>
  inspectDisk(path).then(layout => `found ${JSON.stringify(layout)}`, describeFailure)

describe('boot and root partition', () => {
  test('of a Raspberry Pi card: places, sizes, types and names', async () => {
    const path = disk([...mbr, 'start=4MiB, size=32MiB, type=c, bootable', 'start=36MiB, size=64MiB, type=83'], [36])
    expect(await inspectDisk(path)).toEqual({
      boot: { number: 1, offset: 4 * MiB, size: 32 * MiB, type: 'c', partuuid: '4e639091-01' },
      root: { number: 2, offset: 36 * MiB, size: 64 * MiB, type: '83', partuuid: '4e639091-02' }
    })
  })

  test('of a GPT disk, whose partitions have names of their own', async () => {
    const path = disk(
      [
        ...gpt,
        'start=1MiB, size=32MiB, type=U, uuid=11111111-2222-3333-4444-AAAAAAAAAAAA',
        'start=40MiB, size=64MiB, type=L, uuid=11111111-2222-3333-4444-BBBBBBBBBBBB'
      ],
      [40]
    )
    const { boot, root } = await inspectDisk(path)
    expect(boot).toMatchObject({ number: 1, offset: MiB, type: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B' })
    expect(root).toMatchObject({ number: 2, offset: 40 * MiB, size: 64 * MiB })
    expect([boot.partuuid, root.partuuid]).toEqual([
      '11111111-2222-3333-4444-aaaaaaaaaaaa',
      '11111111-2222-3333-4444-bbbbbbbbbbbb'
    ])
  })

  test.each(['4', '6', 'b', 'c', 'e', 'ef'])('MBR type %s is FAT', async type => {
    const path = disk([...mbr, `start=4MiB, size=32MiB, type=${type}`, 'start=36MiB, type=83'], [36])
    expect((await inspectDisk(path)).boot.type).toBe(type)
  })

  test("GPT's basic data is FAT", async () => {
    const type = 'EBD0A0A2-B9E5-4433-87C0-68B6B72699C7'
    const path = disk([...gpt, `start=4MiB, size=32MiB, type=${type}`, 'start=36MiB, type=L'], [36])
    expect((await inspectDisk(path)).boot).toMatchObject({ number: 1, type })
  })

  test('the root is where ext4 is, whatever the table calls it', async () => {
    const table = [...mbr, 'start=4MiB, size=8MiB, type=c', 'start=12MiB, size=8MiB, type=83', 'start=20MiB, type=b']
    expect((await inspectDisk(disk(table, [20]))).root).toMatchObject({ number: 3, partuuid: '4e639091-03' })
  })

  test('may be in any order on the disk', async () => {
    const path = disk([...mbr, 'start=4MiB, size=64MiB, type=83', 'start=68MiB, size=32MiB, type=c'], [4])
    const { boot, root } = await inspectDisk(path)
    expect([boot.number, root.number]).toEqual([2, 1])
  })

  test('keep their numbers when there is a gap in the table', async () => {
    const path = disk([...mbr, '1: start=4MiB, size=32MiB, type=c', '3: start=36MiB, size=64MiB, type=83'], [36])
    expect((await inspectDisk(path)).root).toMatchObject({ number: 3, partuuid: '4e639091-03' })
  })

  test('of a cloud image: the root first in the table and last on the disk, behind a /boot of its own', async () => {
    const table = [
      '1: start=64MiB, size=60MiB, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE',
      '13: start=32MiB, size=32MiB, type=BC13C2FF-59E6-4262-A352-B275FD6F7172',
      '15: start=1MiB, size=31MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B'
    ]
    const { boot, root } = await inspectDisk(disk([...gpt, ...table], [32, 64]))
    expect([boot.number, root.number]).toEqual([15, 1])
    const other = [
      '2: start=32MiB, size=32MiB, type=BC13C2FF-59E6-4262-A352-B275FD6F7172',
      '3: start=64MiB, size=60MiB'
    ]
    expect((await inspectDisk(disk([...gpt, table[2] ?? '', ...other], [32, 64]))).root.number).toBe(3)
  })

  test('in an extended partition count from 5', async () => {
    const table = [
      'start=4MiB, size=8MiB, type=c',
      'start=12MiB, size=100MiB, type=5',
      '5: start=13MiB, size=64MiB, type=83'
    ]
    expect((await inspectDisk(disk([...mbr, ...table], [13]))).root).toMatchObject({
      number: 5,
      offset: 13 * MiB,
      partuuid: '4e639091-05'
    })
  })
})

test('the number in a PARTUUID is hexadecimal, as the kernel writes it', () => {
  const partitions = Array.from({ length: 10 }, (_, at) => ({
    node: `x.img${at + 1}`,
    start: at * 10,
    size: 10,
    type: '83'
  }))
  const table = { partitiontable: { label: 'dos', id: '0x4e639091', sectorsize: 512, partitions } }
  expect(
    parsePartitions(JSON.stringify(table))
      .map(({ partuuid }) => partuuid)
      .slice(8)
  ).toEqual(['4e639091-09', '4e639091-0a'])
})

test('a short disk signature is filled up, and sectors may be larger', () => {
  const table = {
    label: 'dos',
    id: '0xabc',
    sectorsize: 4096,
    partitions: [{ node: 'x1', start: 2, size: 3, type: 'c' }]
  }
  expect(parsePartitions(JSON.stringify({ partitiontable: table }))).toEqual([
    { number: 1, offset: 8192, size: 12_288, type: 'c', partuuid: '00000abc-01' }
  ])
})

describe('a disk that lacks something says what', () => {
  test('no partition table', async () => {
    const path = join(scratch.fresh(), 'disk.img')
    writeFileSync(path, Buffer.alloc(MiB))
    expect(await complaint(path)).toBe(
      'the image has no partition table that can be read\nCause: it is damaged, or holds a bare file system'
    )
  })

  test('an empty partition table', async () => {
    expect(await complaint(disk(mbr))).toBe(
      'the image has no FAT boot partition (partitions: none)\nCause: it is an image neither for a Raspberry Pi nor for UEFI'
    )
  })

  test('no FAT', async () => {
    expect(await complaint(disk([...mbr, 'start=4MiB, type=83'], [4]))).toMatch(
      /^the image has no FAT boot partition \(partitions: 1 \(type 83\)\)\n/
    )
  })

  test('no ext4', async () => {
    expect(await complaint(disk([...mbr, 'start=4MiB, size=8MiB, type=c', 'start=12MiB, type=83']))).toMatch(
      /^the image has no ext4 root partition \(partitions: 1 \(type c\), 2 \(type 83\)\)\nCause: its root file system is of another kind/
    )
  })

  test('a root partition that lies behind the end of a file that is cut short', async () => {
    const path = disk([...mbr, 'start=4MiB, size=8MiB, type=c', 'start=64MiB, type=83'], [64])
    truncateSync(path, 32 * MiB)
    expect(await complaint(path)).toMatch(/^the image has no ext4 root partition/)
  })
})
