import { CacheHits, type CacheLevel } from '../../../src/cache'
import { cacheLimits } from '../../../src/cache/limits'
import { complaint, quietly, reservation } from '../../../src/cache/quiet'

describe('what came from a cache', () => {
  test('the most counts, in whatever order it came', () => {
    const told: CacheLevel[] = []
    const hits = new CacheHits(level => told.push(level))
    for (const level of ['none', 'image', 'qemu', 'snapshot', 'prepared'] as const) hits.note(level)
    expect([hits.level, told]).toEqual(['snapshot', ['none', 'image', 'image', 'snapshot', 'snapshot']])
  })

  test('it says why not more', () => {
    const hits = new CacheHits()
    hits.note('image')
    expect(hits.text).toBe('image')
    hits.missed('`prepare` changed')
    expect(hits.text).toBe('image (`prepare` changed)')
  })
})

describe('how long the cache may take', () => {
  test.each([
    [undefined, 10_000, 120_000],
    ['1', 1000, 12_000],
    ['0.5', 500, 6000],
    ['soon', 10_000, 120_000],
    ['-3', 10_000, 120_000]
  ])('PI_QEMU_CACHE_PATIENCE=%s', (asked, lookup, restore) => {
    const limits = cacheLimits(asked === undefined ? {} : { PI_QEMU_CACHE_PATIENCE: asked })
    expect([limits.lookup, limits.restore]).toEqual([lookup, restore])
  })

  test('a large entry may take longer to save: at 4 MiB/s', () => {
    const { save } = cacheLimits({})
    expect(save(4 * 1024 ** 2 * 100) - save(0)).toBeCloseTo(100_000, -3)
  })
})

describe('what the library says', () => {
  test('is taken from stdout, whoever else writes there meanwhile', async () => {
    const written: string[] = []
    const write = process.stdout.write.bind(process.stdout)
    const fake = ((chunk: string | Uint8Array) => written.push(String(chunk)) > 0) as typeof process.stdout.write
    process.stdout.write = fake
    try {
      const lines: string[] = []
      const library = quietly(async () => {
        process.stdout.write('one\n')
        await new Promise(resolve => setTimeout(resolve, 20))
        process.stdout.write('::warning::two\r\nthree\n')
        return 4
      }, lines)
      await new Promise(resolve => setTimeout(resolve, 5))
      process.stdout.write('the script\n')
      expect(await library).toBe(4)
      process.stdout.write('after\n')
      expect([lines, written]).toEqual([
        ['one', '::warning::two', 'three'],
        ['the script\n', 'after\n']
      ])
    } finally {
      process.stdout.write = write
    }
  })

  test.each([
    [['Cache not found', '::debug::what'], undefined],
    [['::warning::Failed to restore: tar ended%0Abadly'], 'Failed to restore: tar ended badly'],
    [['::error::Failed to save: 500', '::warning::again'], 'Failed to save: 500; again']
  ])('%j is complaint %j', (lines, expected) => {
    expect(complaint(lines)).toBe(expected)
  })

  const failed = '::debug::Failed to reserve cache: Error: Failed to CreateCacheEntry: Received non-retryable error: '
  test.each([
    [`${failed}Failed request: (409) Conflict: cache entry with the same key exists`, 'taken'],
    [`${failed}Failed request: (403) Forbidden`, { refused: expect.stringContaining('(403) Forbidden') as string }],
    ['::debug::Reserving Cache', undefined]
  ])('%s', (line, expected) => {
    expect(reservation(['::debug::before', line])).toEqual(expected)
  })
})
