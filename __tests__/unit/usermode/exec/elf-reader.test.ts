import { elfProgram } from '../../../../src/host/elf'
import { dynamicOf, interpreterOf } from '../../../../src/usermode/exec/dynamic'
import { offsetOf, readElf, type Elf } from '../../../../src/usermode/exec/elf-reader'
import { symbolAt } from '../../../../src/usermode/exec/symbols'
import { elfFile, type ElfContents } from '../../../kit/elf-files'

const inMemory = (file: Buffer): Elf | undefined => readElf((at, size) => file.subarray(at, at + size))
const read = (contents: ElfContents): Elf => {
  const elf = inMemory(elfFile(contents))
  if (elf === undefined) throw new Error('not recognised')
  return elf
}

const kinds = [
  { bits: 32, order: 'little', machine: 40 },
  { bits: 64, order: 'little', machine: 183 },
  { bits: 64, order: 'big', machine: 22 },
  { bits: 32, order: 'big', machine: 40 }
] as const

describe.each(kinds)('an ELF file of $bits bits, $order-endian', kind => {
  test('is recognised, with what it tells the loader', () => {
    const elf = read({
      ...{ ...kind, type: 3, flags: 0x05000400, base: 0x10000, interpreter: '/lib/ld.so.3' },
      ...{ needed: ['liba.so.1', 'libb.so'], rpath: '/one:$ORIGIN/two', runpath: '/three' }
    })
    expect(elf).toMatchObject({ ...kind, type: 3, flags: 0x05000400 })
    expect(interpreterOf(elf)).toBe('/lib/ld.so.3')
    expect(dynamicOf(elf)).toEqual({
      needed: ['liba.so.1', 'libb.so'],
      rpath: ['/one', '$ORIGIN/two'],
      runpath: ['/three']
    })
    expect(offsetOf(elf, 0x10004)).toBe(4)
    expect(offsetOf(elf, 4)).toBeUndefined()
  })

  test.each([false, true])('has symbols, stripped: %s', stripped => {
    const symbols = [
      { name: '$a', value: 0x120, size: 0, type: 0 },
      { name: 'early', value: 0x100, size: 0x20, type: 2 },
      { name: 'alias', value: 0x120, size: 0, type: 2 },
      { name: 'late', value: 0x120, size: 0x10, type: 2 },
      { name: 'data', value: 0x124, size: 4, type: 1 },
      { name: 'assembly', value: 0x200, size: 0, type: 0 }
    ]
    const elf = read({ ...kind, symbols, stripped })
    expect(symbolAt(elf, 0x11c)).toEqual({ name: 'early', offset: 0x1c })
    expect(symbolAt(elf, 0x124)).toEqual({ name: 'late', offset: 4 })
    expect(symbolAt(elf, 0x130)).toBeUndefined()
    expect(symbolAt(elf, 0x99)).toBeUndefined()
    expect(symbolAt(elf, 0x250)).toEqual({ name: 'assembly', offset: 0x50 })
  })

  test('that is a static program without sections has nothing of it', () => {
    const elf = inMemory(elfProgram(kind, Buffer.alloc(12)))
    expect(elf).toMatchObject({ ...kind, type: 2 })
    expect(elf && interpreterOf(elf)).toBeUndefined()
    expect(elf && dynamicOf(elf)).toEqual({ needed: [], rpath: [], runpath: [] })
    expect(elf && symbolAt(elf, 0x400060)).toBeUndefined()
  })
})

test('a Thumb function begins at an even address', () => {
  const elf = read({ symbols: [{ name: 'thumb', value: 0x101, size: 8, type: 2 }] })
  expect(symbolAt(elf, 0x100)).toEqual({ name: 'thumb', offset: 0 })
  expect(symbolAt(elf, 0x104)).toEqual({ name: 'thumb', offset: 4 })
})

test('other files are not taken for ELF, and those that are cut off are told', () => {
  expect(inMemory(Buffer.from('#!/bin/sh\n'))).toBeUndefined()
  expect(inMemory(Buffer.alloc(0))).toBeUndefined()
  expect(inMemory(Buffer.alloc(100))).toBeUndefined()
  expect(() => inMemory(elfFile({}).subarray(0, 60))).toThrow(/out of range/)
})
