import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkDisks, excludedPatterns } from '../../src/disks'
import { parseInputs, type RawInputs } from '../../src/inputs'
import { excluding } from '../../src/workspace'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pi-qemu-test-disks-'))
  for (const name of ['a.img', 'b.img', 'k']) writeFileSync(join(folder, name), 'x'.repeat(512))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const parse = (raw: RawInputs): unknown => parseInputs(raw, { env: {}, workspace: folder })

test('a disk named twice is refused, under another name too', () => {
  symlinkSync('a.img', join(folder, 'link.img'))
  expect(() => parse({ disks: 'a.img\nb.img\nlink.img' })).toThrow(/`disks` names \S+link\.img twice/)
  expect(parse({ disks: 'a.img\nb.img' })).toMatchObject({ disks: [{ format: 'raw' }, { format: 'raw' }] })
})

test('the image is no disk, and neither is what is to be saved', () => {
  expect(() => parse({ image: './a.img', disks: 'a.img' })).toThrow(/which is the image: that is never written/)
  expect(() => parse({ disks: 'b.img', 'save-image': 'b.img' })).toThrow(/`disks` and `save-image` name the same file/)
})

test('with `image: none` what is for scripts and images is refused by name', () => {
  const bare = { image: 'none', board: 'virt', kernel: 'k' }
  expect(parse({ ...bare, expect: 'hello', disks: 'a.img' })).toMatchObject({ expect: /hello/ })
  expect(() => parse({ ...bare, user: 'pi', shell: 'sh' })).toThrow(/`shell`, `user`: for a script or an image/)
})

test('firmware leaves the kernel its own arguments and initramfs', () => {
  expect(() => parse({ board: 'virt', firmware: 'uefi', append: 'quiet' })).toThrow(/`firmware` and `append`/)
  expect(() => parse({ board: 'virt', firmware: 'uefi', initrd: 'k' })).toThrow(/`firmware` and `initrd`/)
})

test('every disk that is not what it is said to be is named', async () => {
  writeFileSync(join(folder, 'real.qcow2'), 'QFI\xfb', 'latin1')
  const fault = checkDisks([
    { path: join(folder, 'a.img'), format: 'qcow2' },
    { path: join(folder, 'real.qcow2'), format: 'raw' }
  ])
  await expect(fault).rejects.toThrow(/2 inputs are wrong:.*a\.img as qcow2, but.*real\.qcow2 as raw, but/s)
  await expect(checkDisks([])).resolves.toBeUndefined()
})

test('a disk in the workspace is not sent as a file as well', () => {
  const path = (name: string) => ({ path: name, format: 'raw' }) as const
  const disks = [path('/w/sub/my disk [1]!.img'), path('/elsewhere/a.img')]
  const patterns = excludedPatterns({ syncExclude: ['*.o'], disks, reportDir: undefined, workspace: '/w' })
  expect(patterns).toHaveLength(2)
  const excluded = excluding(patterns)
  expect(['sub/my disk [1]!.img', 'my disk [1]!.img', 'a.img', 'x.o'].map(name => excluded(name, false))).toEqual([
    true,
    false,
    false,
    true
  ])
})

test.each([
  ['/w/out/report', [true, false]],
  ['/elsewhere/report', [false, false]]
])('a report folder %s is not exchanged where it lies in the workspace', (reportDir, excludes) => {
  const excluded = excluding(excludedPatterns({ syncExclude: [], disks: [], reportDir, workspace: '/w' }))
  expect(['out/report', 'report'].map(name => excluded(name, true))).toEqual(excludes)
})
