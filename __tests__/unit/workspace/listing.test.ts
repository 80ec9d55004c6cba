import { namesIn } from '../../../src/workspace/listing'

/** One entry of a folder as ext4 has it: inode, length of the record, length of the name, type, name. */
function record(name: string, inode = 13, length = Math.ceil((8 + name.length) / 4) * 4): Buffer {
  const bytes = Buffer.alloc(Math.max(length, 8 + name.length))
  bytes.writeUInt32LE(inode, 0)
  bytes.writeUInt16LE(length, 4)
  bytes.writeUInt8(name.length, 6)
  bytes.write(name, 8, 'latin1')
  return bytes.subarray(0, Math.max(length, 8))
}

/** A folder's block: the last record reaches to its end. */
function block(...records: readonly Buffer[]): Buffer {
  const used = Buffer.concat(records)
  return Buffer.concat([used, record('', 0, 4096 - used.length)])
}

describe('the names in a folder', () => {
  test('are those of its entries, without itself, its parent and what was deleted', () => {
    const blocks = Buffer.concat([
      block(record('.', 12), record('..', 2), record('a')),
      block(record('x', 0), record('b', 14))
    ])
    expect([...namesIn(blocks, '')]).toEqual([
      ['a', 13],
      ['b', 14]
    ])
  })

  test('may have every byte but two, and any length', () => {
    const names = ['two\nlines', '\xff "quoted" \\', '-rf', 'x'.repeat(255)]
    expect([...namesIn(block(...names.map(name => record(name))), '').keys()]).toEqual(names)
  })

  test.each([
    ['a name twice, in whatever blocks', [block(record('a')), block(record('b'), record('a', 15))]],
    ['a slash in a name', [block(record('../../etc/passwd'))]],
    ['an absolute name', [block(record('/etc/passwd'))]],
    ['an empty name', [block(record('', 13, 12))]],
    ['a NUL in a name', [block(record('a\0b'))]],
    ['a record of no length', [block(record('a', 13, 0), record('b'))]],
    ['a record that reaches into the next block', [block(record('a', 13, 4100).subarray(0, 12))]],
    ['a name longer than its record', [block(record('abcdefghijkl', 13, 12))]]
  ])('%s is refused', (_what, blocks) => {
    expect(() => namesIn(Buffer.concat(blocks), 'dir')).toThrow(/a name that no kernel makes/)
  })
})
