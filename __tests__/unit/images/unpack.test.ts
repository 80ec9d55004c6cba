import { spawnSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  createReadStream,
  mkdirSync,
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  detectFormat,
  diskFull,
  headBytes,
  notAnImage,
  SparseWriter,
  unpack,
  type UnpackRequest
} from '../../../src/images/unpack'
import { describeFailure, HostFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const KiB = 1024

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')

/** What an image looks like: data and zeros in turn, not everywhere at the borders of blocks. */
const image = Buffer.concat([
  randomBytes(4 * KiB),
  Buffer.alloc(300 * KiB),
  randomBytes(10_001),
  Buffer.alloc(9 * KiB + 7),
  randomBytes(70 * KiB),
  Buffer.alloc(640 * KiB)
])

/** A buffer as a stream of pieces of one size. */
async function* pieces(bytes: Buffer, size: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) {
    yield bytes.subarray(at, at + size)
    await Promise.resolve()
  }
}

function compressed(format: 'gz' | 'xz' | 'zst', bytes: Buffer): Buffer {
  const [program, ...args] = { gz: ['gzip', '-1'], xz: ['xz', '-0'], zst: ['zstd', '-q', '-1'] }[format]
  const { status, stdout } = spawnSync(program ?? '', [...args, '-c'], { input: bytes, maxBuffer: 1 << 28 })
  expect(status).toBe(0)
  return stdout
}

/** A zip of these files, in order. */
function zipped(files: Readonly<Record<string, Buffer | string>>): Buffer {
  const folder = scratch.fresh()
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(join(folder, name, '..'), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  const args = ['-c', '--format', 'zip', '-f', '-', ...Object.keys(files)]
  const { status, stdout } = spawnSync('bsdtar', args, { cwd: folder, maxBuffer: 1 << 28 })
  expect(status).toBe(0)
  return stdout
}

describe('the format of a file', () => {
  test.each(['gz', 'xz', 'zst'] as const)('%s is known by its first bytes', format => {
    expect(detectFormat(compressed(format, image).subarray(0, headBytes))).toBe(format)
  })

  test('zip and qcow2 are, too', () => {
    expect(detectFormat(Buffer.from('504b030414000000', 'hex'))).toBe('zip')
    expect(detectFormat(Buffer.from('514649fb00000003', 'hex'))).toBe('qcow2')
  })

  test('a raw disk is known by its boot signature', () => {
    const disk = Buffer.alloc(headBytes)
    disk.writeUInt16LE(0xaa55, 510)
    expect(detectFormat(disk)).toBe('raw')
    expect(detectFormat(disk.subarray(0, 512))).toBe('raw')
  })

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['zeros', Buffer.alloc(headBytes)],
    ['text', Buffer.from('#!/bin/sh\n'.repeat(100))],
    ['a disk cut off before its signature', Buffer.alloc(511)]
  ])('%s is none', (_, head) => {
    expect(detectFormat(head)).toBeUndefined()
  })
})

describe('what is no image', () => {
  test.each(['<!DOCTYPE html><title>Login</title>', '\n  <html lang="en">', '<?xml version="1.0"?><Error/>'])(
    'is called a web page if it is one: %j',
    text => {
      const { details } = notAnImage('https://example.org/pi.img', Buffer.from(text))
      expect(details.symptom).toMatch(
        /^https:\/\/example\.org\/pi\.img is a web page, not a disk image \(it starts with "</
      )
      expect(details.cause).toMatch(/page/)
    }
  )

  test('is called what it is not, otherwise', () => {
    expect(notAnImage('pi.img', Buffer.from([1, 2, 3])).details.symptom).toBe(
      'pi.img is not a disk image: it is neither xz, gzip, zstd, zip nor qcow2, and has no partition table'
    )
  })

  test('never brings its own line breaks or control characters into the message', () => {
    const { details } = notAnImage('x', Buffer.from('<html>\n::error::x\x1b[31m'))
    expect(['\n', '\x1b'].filter(letter => details.symptom.includes(letter))).toEqual([])
  })
})

describe('writing a disk', () => {
  async function written(bytes: Buffer, size: number): Promise<{ readonly path: string; readonly size: number }> {
    const path = join(scratch.fresh(), 'disk.img')
    const writer = await SparseWriter.create(path)
    for await (const piece of pieces(bytes, size)) await writer.write(piece)
    return { path, size: await writer.close() }
  }

  test.each([1 << 20, 65_536, 65_537, 65_535, 4096, 4097, 4095, 1000, 333])(
    'in pieces of %d bytes gives the same bytes',
    async size => {
      const result = await written(image, size)
      expect(result.size).toBe(image.length)
      expect(readFileSync(result.path).equals(image)).toBe(true)
    }
  )

  test.each([1 << 20, 4096, 1000])('in pieces of %d bytes leaves holes where there are zeros', async size => {
    const { blocks } = statSync((await written(image, size)).path)
    // 85 KiB of data in blocks of 4 KiB, and a few blocks for what only touches them.
    expect(blocks * 512).toBeGreaterThanOrEqual(80 * KiB)
    expect(blocks * 512).toBeLessThanOrEqual(150 * KiB)
  })

  test('of nothing but zeros takes no room, and has its length', async () => {
    const { path, size } = await written(Buffer.alloc(1 << 20), 50_000)
    expect([size, statSync(path).size, statSync(path).blocks]).toEqual([1 << 20, 1 << 20, 0])
  })

  test('of nothing at all makes an empty file', async () => {
    const { path, size } = await written(Buffer.alloc(0), 1)
    expect([size, statSync(path).size]).toEqual([0, 0])
  })

  test('replaces what was there', async () => {
    const path = join(scratch.fresh(), 'disk.img')
    writeFileSync(path, 'x'.repeat(10_000))
    const writer = await SparseWriter.create(path)
    await writer.write(Buffer.alloc(5000))
    await writer.close()
    expect(readFileSync(path).equals(Buffer.alloc(5000))).toBe(true)
  })

  test('ends with a lone byte after zeros', async () => {
    const bytes = Buffer.alloc(100_001)
    bytes[100_000] = 7
    expect(readFileSync((await written(bytes, 4096)).path).equals(bytes)).toBe(true)
  })
})

interface Unpacking {
  readonly path: string
  readonly done: ReturnType<typeof unpack>
}

function unpacking(bytes: Buffer, changes: Partial<UnpackRequest> = {}): Unpacking {
  const path = join(scratch.fresh(), 'disk.img')
  return {
    path,
    done: unpack({ chunks: pieces(bytes, 30_000), format: 'raw', target: path, name: 'pi.img', ...changes })
  }
}

const failureOf = async ({ done }: Unpacking): Promise<HostFailure> => {
  const error = await done.then(
    () => undefined,
    (reason: unknown) => reason
  )
  if (error instanceof HostFailure) return error
  throw new Error(`expected a HostFailure, got ${String(error)}`)
}

describe('unpacking', () => {
  test.each(['gz', 'xz', 'zst'] as const)(
    '%s gives the disk, sparse, and the checksum of the archive',
    async format => {
      const archive = compressed(format, image)
      const { path, done } = unpacking(archive, { format, expected: sha256(archive) })
      expect(await done).toEqual({ sha256: sha256(archive), size: image.length })
      expect(readFileSync(path).equals(image)).toBe(true)
      expect(statSync(path).blocks * 512).toBeLessThan(200 * KiB)
    }
  )

  test.each<[string, Readonly<Record<string, Buffer | string>>]>([
    ['alone', { 'pi.img': image }],
    ['with its papers', { 'README.txt': 'Flash this.', 'pi.img': image, 'pi.img.sha256': 'ab', 'LICENSE.md': 'x' }],
    ['in a folder', { '2024-07-04/pi.img': image }]
  ])('a zip gives the disk that is in it, %s', async (_, files) => {
    const { path, done } = unpacking(zipped(files), { format: 'zip' })
    expect((await done).size).toBe(image.length)
    expect(readFileSync(path).equals(image)).toBe(true)
  })

  test('a raw disk is taken as it is', async () => {
    const { path, done } = unpacking(image)
    expect(await done).toEqual({ sha256: sha256(image), size: image.length })
    expect(readFileSync(path).equals(image)).toBe(true)
  })

  test('a file may be read from the disk in large pieces', async () => {
    const file = join(scratch.fresh(), 'pi.img.xz')
    writeFileSync(file, compressed('xz', image))
    const chunks = createReadStream(file, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>
    expect((await unpacking(image, { chunks, format: 'xz' }).done).size).toBe(image.length)
  })

  test('archives that were put one behind the other are one disk', async () => {
    const [first, second] = [image.subarray(0, 200_000), image.subarray(200_000)]
    for (const format of ['gz', 'xz', 'zst'] as const) {
      const archive = Buffer.concat([compressed(format, first), compressed(format, second)])
      const { path, done } = unpacking(archive, { format })
      expect((await done).size).toBe(image.length)
      expect(readFileSync(path).equals(image)).toBe(true)
    }
  })

  test.each(['gz', 'xz', 'zst'] as const)('a %s archive that is cut short is damaged', async format => {
    const failure = await failureOf(unpacking(compressed(format, image).subarray(0, 50_000), { format }))
    expect(failure.details.symptom).toMatch(/^pi\.img cannot be unpacked: (gzip|xz|zstd) ended with status \d+/)
    expect(failure.details.cause).toBe('the file is damaged or cut short')
  })

  test.each(['gz', 'xz', 'zst'] as const)('a %s archive with a changed byte is damaged', async format => {
    const archive = Buffer.from(compressed(format, image))
    archive.fill(0xff, 20_000, 20_100)
    expect((await failureOf(unpacking(archive, { format }))).details.cause).toBe('the file is damaged or cut short')
  })

  test('a wrong checksum says so, with both', async () => {
    const expected = 'ab'.repeat(32)
    expect((await failureOf(unpacking(image, { expected }))).details.symptom).toBe(
      `the checksum of pi.img is wrong: expected SHA-256 ${expected}, got ${sha256(image)}`
    )
  })

  test('a wrong checksum is said rather than the damage it explains, and is that of the whole file', async () => {
    const archive = Buffer.from(compressed('xz', image))
    // Damaged at its very beginning: xz stops long before the end has been read.
    archive.fill(0xff, 12, 64)
    const expected = sha256(compressed('xz', image))
    async function* slow(): AsyncGenerator<Buffer> {
      yield archive.subarray(0, 40_000)
      await sleep(150)
      yield* pieces(archive.subarray(40_000), 1000)
    }
    const { details } = await failureOf(unpacking(archive, { format: 'xz', expected, chunks: slow() }))
    expect(details.symptom).toBe(
      `the checksum of pi.img is wrong: expected SHA-256 ${expected}, got ${sha256(archive)}`
    )
  })

  test('a source that breaks fails with its own words, and leaves no program behind', async () => {
    async function* broken(): AsyncGenerator<Buffer> {
      yield compressed('xz', image).subarray(0, 1000)
      await Promise.resolve()
      throw new HostFailure({ symptom: 'the download broke' })
    }
    const failure = await failureOf(unpacking(image, { chunks: broken(), format: 'xz' }))
    expect(failure.details.symptom).toBe('the download broke')
  })
})

describe('a full disk', () => {
  test.each(['raw', 'gz'] as const)('is named as the cause (%s)', async format => {
    const bytes = format === 'raw' ? image : compressed(format, image)
    const failure = await failureOf(unpacking(bytes, { format, target: '/dev/full' }))
    expect(describeFailure(failure)).toBe(
      'the disk is full\nCause: the unpacked image does not fit\nRemedy: free some space, or point PI_QEMU_HOME at a larger disk'
    )
  })

  test('leaves no file open', async () => {
    await failureOf(unpacking(image, { target: '/dev/full' }))
    const open = readdirSync('/proc/self/fd').map(name => join('/proc/self/fd', name))
    expect(open.filter(link => existsSync(link) && readlinkSync(link) === '/dev/full')).toEqual([])
  })

  test('is no other trouble', () => {
    expect(diskFull(Object.assign(new Error('x'), { code: 'EIO' }))).toBeUndefined()
    expect(diskFull(undefined)).toBeUndefined()
    expect(diskFull(Object.assign(new Error('x'), { code: 'ENOSPC' }))).toBeInstanceOf(HostFailure)
  })
})
