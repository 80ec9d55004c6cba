import { deflateSync } from 'node:zlib'

/** A picture: three bytes (red, green, blue) a pixel, rows from the top, without padding. */
export interface Picture {
  readonly width: number
  readonly height: number
  readonly rgb: Buffer
}

/**
 * Reads a binary portable pixmap (P6, netpbm's ppm(5)) as QEMU writes it: three numbers and no comments.
 * @throws Error if it is anything else, or cut off
 */
export function readPixmap(file: Buffer): Picture {
  // The header is in ASCII, and ends with one white space.
  const header = /^P6\s+(\d+)\s+(\d+)\s+255\s/.exec(file.subarray(0, 64).toString('latin1'))
  const [width, height] = [Number(header?.[1]), Number(header?.[2])]
  const start = header?.[0].length ?? 0
  const rgb = file.subarray(start, start + width * height * 3)
  if (!(width > 0 && height > 0) || rgb.length < width * height * 3)
    throw new Error('no whole pixmap of 8 bits a colour')
  return { width, height, rgb }
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a])

/** A picture as PNG (W3C's PNG specification): 8 bits a channel, no alpha, each row without a filter. */
export function png({ width, height, rgb }: Picture): Buffer {
  const size = Buffer.alloc(8)
  size.writeUInt32BE(width, 0)
  size.writeUInt32BE(height, 4)
  // Bit depth 8, colour type 2 (RGB), and the only compression, filter method and no interlacing.
  const header = Buffer.concat([size, Buffer.from([8, 2, 0, 0, 0])])
  const noFilter = Buffer.from([0])
  const rows = Array.from({ length: height }, (_, row) => [
    noFilter,
    rgb.subarray(row * width * 3, (row + 1) * width * 3)
  ])
  return Buffer.concat([
    signature,
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows.flat()))),
    chunk('IEND', Buffer.alloc(0))
  ])
}

function chunk(type: 'IHDR' | 'IDAT' | 'IEND', data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data])
  const [length, check] = [Buffer.alloc(4), Buffer.alloc(4)]
  length.writeUInt32BE(data.length)
  check.writeUInt32BE(crc32(body))
  return Buffer.concat([length, body, check])
}

/** CRC-32 by the reflected polynomial of ISO 3309, bit by bit; zlib has one only since Node 20.15. */
function crc32(data: Buffer): number {
  let crc = 0xffffffff
  for (const byte of data) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}
