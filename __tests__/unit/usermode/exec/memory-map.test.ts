import { readElf } from '../../../../src/usermode/exec/elf-reader'
import { addressOf, guestBase, mappedAt, readMaps, segmentsAddress } from '../../../../src/usermode/exec/memory-map'
import { elfFile } from '../../../kit/elf-files'

const maps = readMaps(
  [
    '7f0000010000-7f0000012000 r--p 00000000 fe:00 2171542                    /home/pi/my program',
    '7f0000012000-7f0000013000 rw-p 00001000 fe:00 2171542                    /home/pi/my program',
    '7f003f7c0000-7f003f7d0000 r--p 00002000 fe:00 77                         /lib/libx.so.1',
    '7f004f000000-7f004f100000 rw-p 00000000 00:00 0 ',
    '7ffd5e5c8000-7ffd5e5e9000 rw-p 00000000 00:00 0                          [stack]',
    ''
  ].join('\n')
)

test('the lines of a map that are about files are read', () => {
  expect(maps.map(({ path }) => path)).toEqual(['/home/pi/my program', '/home/pi/my program', '/lib/libx.so.1'])
  expect(maps[1]).toEqual({ start: 0x7f0000012000, end: 0x7f0000013000, offset: 0x1000, path: '/home/pi/my program' })
})

test('an address of a program leads to the file that is there', () => {
  const file = elfFile({ base: 0x10000 })
  const elf = readElf((at, size) => file.subarray(at, at + size))
  if (elf === undefined) throw new Error('no ELF file')
  // AT_ENTRY, AT_PHDR, AT_NULL
  const vector = Buffer.from(Uint32Array.from([9, 0x10500, 3, 0x10034, 0, 0]).buffer)
  const segmentsAt = segmentsAddress(vector, elf)
  expect(segmentsAt).toBe(0x10034)
  const base = guestBase(maps, '/home/pi/my program', elf, segmentsAt ?? 0)
  expect(base).toBe(0x7f0000000000)
  expect(mappedAt(maps, (base ?? 0) + 0x3f7c03cc)).toEqual({ path: '/lib/libx.so.1', offset: 0x23cc })
  expect(mappedAt(maps, (base ?? 0) + 0x4f000000)).toBeUndefined()
  expect(guestBase(maps, '/home/pi/another', elf, segmentsAt ?? 0)).toBeUndefined()
  expect(addressOf(elf, 0x40)).toBe(0x10040)
  expect(addressOf(elf, file.length)).toBeUndefined()
  expect(segmentsAddress(Buffer.alloc(0), elf)).toBeUndefined()
})

test('of two segments that share a page, an instruction is in the one with code', () => {
  const row = { type: 1, offset: 0, address: 0x1000, size: 0x800 }
  const elf = readElf(() => elfFile({}))
  if (elf === undefined) throw new Error('no ELF file')
  const segments = [
    { ...row, executable: false },
    { ...row, address: 0x9000, executable: true }
  ]
  expect(addressOf({ ...elf, segments }, 0x10)).toBe(0x9010)
})
