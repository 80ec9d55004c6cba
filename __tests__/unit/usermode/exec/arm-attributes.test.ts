import { armAttributes, builtFor, readAttributes } from '../../../../src/usermode/exec/arm-attributes'
import { readElf } from '../../../../src/usermode/exec/elf-reader'
import { elfFile } from '../../../kit/elf-files'

const little = (from: Buffer, at: number, size: number): number => from.readUIntLE(at, size)

/** A section of the given tags and values, as Arm's ABI describes it. */
function section(tags: readonly number[], vendor = 'aeabi'): Buffer {
  const size = (length: number): Buffer => {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(length)
    return bytes
  }
  const name = Buffer.from(`${vendor}\0`)
  const inner = Buffer.concat([Buffer.from([1]), size(5 + tags.length), Buffer.from(tags)])
  return Buffer.concat([size(4 + name.length + inner.length), name, inner])
}
const attributes = (...parts: readonly Buffer[]): Buffer => Buffer.concat([Buffer.from('A'), ...parts])
const text = (value: string): readonly number[] => [...Buffer.from(`${value}\0`)]

test.each([
  // What gcc 12 wrote for -march=armv6, -march=armv7ve and -mcpu=cortex-a15: their sections, byte by byte.
  ['ARMv6', false, '412a000000616561626900012000000005360006060801090112041301140115011703180119011a022201'],
  [
    'ARMv7-A',
    false,
    '4132000000616561626900012800000005372d4100060a0741080109021204140115011703180119011a0222012a012c024403'
  ],
  [
    'ARMv7-A',
    true,
    '413a000000616561626900013000000005372d4100060a0741080109020a050c0212041301140115011703180119011a021c0122012a012c024403'
  ]
])('a file of gcc says what it was built for: %s, with NEON: %s', (name, neon, recorded) => {
  const found = readAttributes(Buffer.from(recorded, 'hex'), little)
  expect(found?.neon).toBe(neon)
  expect(found && builtFor(found)?.name).toBe(name)
})

test('texts, long numbers and parts of other vendors are passed over', () => {
  const tags = [
    ...[4, ...text('raw'), 5, ...text('CPU name')],
    ...[32, 1, ...text('gnu'), 34, 0x80, 0x01, 65, ...text('\x06\x0a'), 67, ...text('2.09')],
    ...[6, 10, 7, 0x41]
  ]
  const bytes = attributes(section([6, 1], 'gnu'), section(tags))
  expect(readAttributes(bytes, little)).toEqual({ architecture: 10, profile: 'A', neon: false })
})

test('versions are older and newer in the order in which Arm made them, not by their numbers', () => {
  const age = (architecture: number): number => builtFor({ architecture, neon: false })?.age ?? Number.NaN
  const [v4, v5te, v6, v6k, v6kz, v7, v8] = [1, 4, 6, 9, 7, 10, 14].map(age)
  const ordered = [v4, v5te, v6, v6k, v6kz, v7, v8]
  expect([...ordered].sort((a = 0, b = 0) => a - b)).toEqual(ordered)
  expect(builtFor({ architecture: 14, profile: 'A', neon: true })?.name).toBe('ARMv8-A')
  expect(builtFor({ architecture: 6, profile: 'A', neon: true })?.name).toBe('ARMv6')
  expect(builtFor({ architecture: 99, neon: true })).toBeUndefined()
  expect(builtFor({ neon: true })).toBeUndefined()
})

test('a file without them has none, and what is no such section is not read as one', () => {
  const file = elfFile({ attributes: attributes(section([6, 6])) })
  const elf = readElf((at, size) => file.subarray(at, at + size))
  expect(elf && armAttributes(elf)).toEqual({ architecture: 6, neon: false })
  expect(readAttributes(Buffer.alloc(0), little)).toBeUndefined()
  expect(readAttributes(Buffer.from('B'), little)).toBeUndefined()
  expect(readAttributes(attributes(section([6, 1], 'gnu')), little)).toBeUndefined()
})
