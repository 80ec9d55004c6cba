import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { crc32, inflateSync } from 'node:zlib'
import { png, readPixmap } from '../../../src/qemu/png'
import { screenshot } from '../../../src/qemu/screen'
import { HostFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

/** Red and green over blue and white. */
const pixels = Buffer.from([255, 0, 0, 0, 255, 0, 0, 0, 255, 255, 255, 255])
const pixmap = Buffer.concat([Buffer.from('P6\n2 2\n255\n'), pixels])

/** The chunks of a PNG file; fails if a checksum is wrong. */
function chunks(file: Buffer): Readonly<Partial<Record<string, Buffer>>> {
  expect(file.subarray(0, 8).toString('latin1')).toBe('\x89PNG\r\n\x1a\n')
  const found: Partial<Record<string, Buffer>> = {}
  for (let at = 8; at < file.length;) {
    const length = file.readUInt32BE(at)
    const body = file.subarray(at + 4, at + 8 + length)
    expect(file.readUInt32BE(at + 8 + length)).toBe(crc32(body))
    found[body.toString('latin1', 0, 4)] = body.subarray(4)
    at += 12 + length
  }
  return found
}

test('a pixmap becomes a PNG with the same pixels', () => {
  const { IHDR, IDAT, IEND } = chunks(png(readPixmap(pixmap)))
  expect(IHDR).toEqual(Buffer.from([0, 0, 0, 2, 0, 0, 0, 2, 8, 2, 0, 0, 0]))
  expect(inflateSync(IDAT ?? '')).toEqual(Buffer.from([0, 255, 0, 0, 0, 255, 0, 0, 0, 0, 255, 255, 255, 255]))
  expect(IEND).toHaveLength(0)
})

test.each([
  ['cut off', pixmap.subarray(0, pixmap.length - 1)],
  ['of 16 bits a colour', Buffer.from('P6\n1 1\n65535\n123456')],
  ['empty', Buffer.alloc(0)]
])('a pixmap that is %s is refused', (_, file) => {
  expect(() => readPixmap(file)).toThrow('no whole pixmap')
})

describe('a screenshot', () => {
  const scratch = scratchFolder()

  test('is a PNG where it was asked for, and nothing beside it', async () => {
    const file = join(scratch.fresh(), 'screen.png')
    let beside = ''
    await screenshot(
      {
        execute: (command, args) => {
          expect(command).toBe('screendump')
          beside = String(args?.['filename'])
          writeFileSync(beside, pixmap)
          return Promise.resolve({})
        }
      },
      file
    )
    expect(chunks(readFileSync(file))['IHDR']).toHaveLength(13)
    expect(existsSync(beside)).toBe(false)
  })

  test('of a board without a display says so', async () => {
    const none = { execute: () => Promise.reject(new Error('There is no console to take a screendump from')) }
    const failure = await screenshot(none, join(scratch.fresh(), 'screen.png')).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(HostFailure)
    expect((failure as HostFailure).details.remedy).toContain('`vnc`')
  })

  test('in a folder that is not there names the file', async () => {
    const execute = (): Promise<unknown> => Promise.reject(new Error("failed to open file '/nowhere/x.png.ppm'"))
    await expect(screenshot({ execute }, '/nowhere/x.png')).rejects.toThrow('/nowhere/x.png could not be made')
  })
})
