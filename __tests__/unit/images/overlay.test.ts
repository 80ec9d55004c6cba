import { cardSize } from '../../../src/images/overlay'

const MiB = 2 ** 20
const GiB = 2 ** 30

test.each([
  [260 * MiB, 512 * MiB],
  [512 * MiB, 512 * MiB],
  [512 * MiB + 1, GiB],
  [2_600_468_480, 4 * GiB],
  [4 * GiB - 512, 4 * GiB],
  [4 * GiB, 4 * GiB],
  [4 * GiB + 512, 8 * GiB],
  [128 * GiB + 512, 256 * GiB]
])('an image of %d bytes needs a card of %d', (bytes, size) => {
  expect(cardSize(bytes)).toBe(size)
})
