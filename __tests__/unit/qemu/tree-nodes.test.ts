import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { boards, type TreeFix } from '../../../src/boards'
import { makeDeviceTree } from '../../../src/qemu'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A Pi 4's tree, as much of it as is looked at here. */
function tree(): string {
  const folder = scratch.fresh()
  const source = join(folder, 'board.dts')
  writeFileSync(
    source,
    '/dts-v1/; / { #address-cells = <2>; #size-cells = <1>; memory@0 { device_type = "memory"; reg = <0 0 0>; }; soc { usb@7e980000 { status = "disabled"; }; }; };\n'
  )
  execFileSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb', '-o', join(folder, 'board.dtb'), source])
  return join(folder, 'board.dtb')
}
const get = (file: string, ...args: readonly string[]): string =>
  execFileSync('fdtget', [...args.slice(0, -2), file, ...args.slice(-2)], { encoding: 'utf8', stdio: 'pipe' }).trim()

async function fixed(...fixes: readonly TreeFix[]): Promise<{ file: string; notes: readonly string[] }> {
  const from = tree()
  const file = join(scratch.fresh(), 'out.dtb')
  return { file, notes: await makeDeviceTree({ from, to: file, fixes, overlays: [] }) }
}

test('a node that a fix makes has its text and cells; the log names both', async () => {
  const set = { device_type: 'memory', reg: [0, 0x40000000, 0x40000000] }
  const { file, notes } = await fixed({ node: '/ram@40000000', make: true, set, why: 'of this test' })
  expect(get(file, '/ram@40000000', 'device_type')).toBe('memory')
  expect(get(file, '-t', 'x', '/ram@40000000', 'reg')).toBe('0 40000000 40000000')
  expect(notes).toEqual([
    'Device tree: device_type=memory reg=0x0 0x40000000 0x40000000 for ram@40000000 (of this test)'
  ])
})

test('a node that the tree lacks is passed over where a fix does not make it', async () => {
  const { file, notes } = await fixed({ node: '/ram@40000000', set: { status: 'okay' }, why: 'of this test' })
  expect(notes).toEqual([])
  expect(() => get(file, '/ram@40000000', 'status')).toThrow()
})

test.each(['raspberrypi', 'mainline'] as const)('raspi4b names all of its memory to the kernel (%s)', async naming => {
  const { file } = await fixed(...boards.raspi4b.treeFixes[naming])
  const [, start = '', size = ''] = get(file, '-t', 'x', '/ram@40000000', 'reg').split(' ')
  // The lower part is QEMU's to name, up to where this one begins.
  expect((parseInt(start, 16) + parseInt(size, 16)) / 1024 ** 2).toBe(boards.raspi4b.memoryMiB)
  expect(get(file, '/soc/usb@7e980000', 'status')).toBe('okay')
})

describe.each(['raspi0', 'raspi1ap', 'raspi2b', 'raspi3ap', 'raspi3b', 'raspi4b'] as const)(
  'the screen of %s',
  name => {
    const { memoryMiB, treeFixes } = boards[name]

    test('is where QEMU has it: 1 MiB into the last 64 MiB of the first GiB', async () => {
      const { file } = await fixed(...treeFixes.mainline)
      const cells = get(file, '-t', 'u', '/framebuffer', 'reg').split(' ').map(Number)
      const [width = 0, height = 0, stride = 0] = ['width', 'height', 'stride'].map(property =>
        Number(get(file, '-t', 'u', '/framebuffer', property))
      )
      expect(cells.slice(-2)).toEqual([(Math.min(memoryMiB, 1024) - 63) * 1024 ** 2, width * height * 2])
      expect([width, height, stride]).toEqual([640, 480, width * 2])
      // A Pi 4's addresses have two cells.
      expect(cells).toHaveLength(name === 'raspi4b' ? 3 : 2)
      expect(get(file, '/framebuffer', 'format')).toBe('r5g6b5')
    })

    test("is asked of the firmware by Raspberry Pi's kernels", () => {
      expect(treeFixes.raspberrypi.map(({ node }) => node)).not.toContain('/framebuffer')
    })
  }
)

test("the kernel's random generator gets exactly the bytes of the run; no other word of the tree changes", async () => {
  const seed = Buffer.from(Array.from({ length: 64 }, (_, at) => (at * 37) % 256))
  const file = join(scratch.fresh(), 'out.dtb')
  const notes = await makeDeviceTree({ from: tree(), to: file, fixes: [], overlays: [], seed })
  const words = get(file, '-t', 'bx', '/chosen', 'rng-seed').split(' ')
  expect(Buffer.from(words.map(word => parseInt(word, 16)))).toEqual(seed)
  expect(get(file, '/soc/usb@7e980000', 'status')).toBe('disabled')
  expect(notes).toEqual([])
})
