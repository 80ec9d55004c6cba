import { gzipSync } from 'node:zlib'
import { architectureFor, kernelFacts, kernelFaults } from '../../../src/bare/kernel'
import { boards } from '../../../src/boards'

const withBytes = (at: number, bytes: string | readonly number[], length = 128): Buffer => {
  const head = Buffer.alloc(length)
  Buffer.from(bytes as string).copy(head, at)
  return head
}
const image = withBytes(56, 'ARMd')
const zImage = withBytes(0x24, [0x18, 0x28, 0x6f, 0x01])

test.each([
  ['an arm64 Image', image, { bits: 64, linux: true }],
  [
    'one packed with gzip, cut off',
    gzipSync(Buffer.concat([image, Buffer.alloc(9999, 'x')])).subarray(0, 60),
    { bits: 64, linux: true }
  ],
  ['EFI zboot', withBytes(0, 'MZ\0\0zimg'), { bits: 64, linux: true }],
  ['an arm zImage', zImage, { bits: 32, linux: true }],
  ['a 64-bit ELF', withBytes(0, '\x7fELF\x02'), { bits: 64, linux: false }],
  ['a 32-bit ELF', withBytes(0, '\x7fELF\x01'), { bits: 32, linux: false }],
  ['a raw program of four bytes', Buffer.from([0, 0, 0, 0x14]), { bits: undefined, linux: false }],
  ['a damaged gzip', Buffer.from([0x1f, 0x8b, 1, 2]), { bits: undefined, linux: false }]
])('%s', (_, head, facts) => {
  expect(kernelFacts(head)).toEqual(facts)
})

test('the kernel says as what virt runs it; where it says nothing, as 64-bit', () => {
  expect(architectureFor(boards.virt, { bits: 64, linux: true })).toBe('arm64')
  expect(architectureFor(boards.virt, { bits: 32, linux: true })).toBe('armhf')
  expect(architectureFor(boards.virt, { bits: undefined, linux: false })).toBe('arm64')
})

test('a 64-bit Pi starts 64-bit kernels alone, an older one 32-bit ones', () => {
  expect(architectureFor(boards.raspi3b, { bits: 32, linux: true })).toBeUndefined()
  expect(architectureFor(boards.raspi2b, { bits: 64, linux: true })).toBeUndefined()
  expect(architectureFor(boards.raspi2b, { bits: 32, linux: true })).toBe('armhf')
})

test('faults name the boards that can, and the device tree that Linux wants', () => {
  const all = Object.values(boards)
  expect(kernelFaults(boards.raspi2b, kernelFacts(image), { dtb: '/a.dtb' }, all)).toEqual([
    expect.stringMatching(/64-bit one, which board `raspi2b` does not start; boards that do: raspi3b, .*virt$/)
  ])
  expect(kernelFaults(boards.raspi3b, kernelFacts(image), { dtb: undefined }, all)).toEqual([
    expect.stringMatching(/needs a device tree for Linux; give `dtb`/)
  ])
  expect(kernelFaults(boards.raspi3b, { bits: 64, linux: false }, { dtb: undefined }, all)).toEqual([])
  expect(kernelFaults(boards.virt, kernelFacts(image), { dtb: undefined }, all)).toEqual([])
})
