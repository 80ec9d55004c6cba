import { inflateSync } from 'node:zlib'

/** A picture out of a PNG file of 8-bit RGB without filters or interlacing, as the product writes it. */
export interface Pixels {
  readonly width: number
  readonly height: number
  /** Whether a pixel is anything but black. */
  isLit(x: number, y: number): boolean
  /** The colours that occur, as `rrggbb`. */
  readonly colours: ReadonlySet<string>
}

export function pixelsOf(file: Buffer): Pixels {
  const [width, height] = [file.readUInt32BE(16), file.readUInt32BE(20)]
  // Bit depth, colour type, compression, filter method, interlacing.
  if (!file.subarray(24, 29).equals(Buffer.from([8, 2, 0, 0, 0]))) throw new Error('a PNG of another kind')
  const data: Buffer[] = []
  for (let at = 8; at < file.length; at += file.readUInt32BE(at) + 12) {
    if (file.toString('latin1', at + 4, at + 8) === 'IDAT')
      data.push(file.subarray(at + 8, at + 8 + file.readUInt32BE(at)))
  }
  const rows = inflateSync(Buffer.concat(data))
  const stride = width * 3 + 1
  if (rows.length !== stride * height) throw new Error('a PNG of another size than it says')
  const colours = new Set<string>()
  for (let y = 0; y < height; y++) {
    if (rows[y * stride] !== 0) throw new Error('a row with a filter')
    for (let x = 0; x < width; x++) {
      const at = y * stride + 1 + x * 3
      colours.add(rows.toString('hex', at, at + 3))
    }
  }
  return {
    width,
    height,
    colours,
    isLit: (x, y) => {
      const at = y * stride + 1 + x * 3
      return rows.readUIntBE(at, 3) > 0
    }
  }
}
