import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { filesInConfig, takeBootFiles } from '../../../src/images/boot-files'
import { describeFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const MiB = 1024 * 1024
const env = { ...process.env, MTOOLS_SKIP_CHECK: '1' }
const kernel = Buffer.concat([
  Buffer.alloc(5000, 1),
  Buffer.from('Linux version 6.6.31+rpt-rpi-v8 (serge@raspberrypi.com) #1 SMP')
])

/** A disk with a FAT volume at 1 MiB that holds these files. */
function bootVolume(files: Readonly<Record<string, Buffer | string>>): string {
  const folder = scratch.fresh()
  const disk = join(folder, 'disk.img')
  writeFileSync(disk, Buffer.alloc(3 * MiB))
  const volume = `${disk}@@${MiB}`
  execFileSync('mformat', ['-i', volume, '-T', '4096', '-h', '2', '-s', '32', '::'], { env })
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(join(folder, 'content'), content)
    execFileSync('mcopy', ['-i', volume, join(folder, 'content'), `::${name}`], { env })
  }
  return disk
}

test('kernels, initramfs, device trees and the two text files are taken, and nothing else', async () => {
  const wanted = {
    'kernel8.img': kernel,
    'kernel_2712.img': 'another',
    initramfs8: 'cpio',
    'bcm2710-rpi-3-b-plus.dtb': 'tree',
    'cmdline.txt': 'root=x\n',
    'config.txt': 'arm_64bit=1\n'
  }
  const disk = bootVolume({ ...wanted, 'start4.elf': 'firmware', 'LICENCE.broadcom': 'x', 'issue.txt': 'x' })
  const into = join(scratch.fresh(), 'boot')
  const { names, kernelReleases } = await takeBootFiles(disk, MiB, into)
  expect([...names].sort()).toEqual(Object.keys(wanted).sort())
  for (const [name, content] of Object.entries(wanted))
    expect(readFileSync(join(into, name))).toEqual(Buffer.from(content))
  expect(kernelReleases).toEqual({ 'kernel8.img': '6.6.31+rpt-rpi-v8' })
})

test('a compressed kernel is unpacked: QEMU could not start it', async () => {
  const into = join(scratch.fresh(), 'boot')
  const { names, kernelReleases } = await takeBootFiles(bootVolume({ 'kernel8.img': gzipSync(kernel) }), MiB, into)
  expect(readFileSync(join(into, 'kernel8.img'))).toEqual(kernel)
  expect([names, kernelReleases]).toEqual([['kernel8.img'], { 'kernel8.img': '6.6.31+rpt-rpi-v8' }])
})

test('a kernel that complains of CPUs that do not stop can start them later', async () => {
  const able = Buffer.concat([kernel, Buffer.from('\x014CPU%d may not have shut down cleanly: %d\n\0')])
  const taken = await takeBootFiles(bootVolume({ 'kernel8.img': able, 'kernel7.img': kernel }), MiB, scratch.fresh())
  expect(taken.hotplugKernels).toEqual(['kernel8.img'])
})

test('a boot partition without a kernel says what to do', async () => {
  const taken = takeBootFiles(bootVolume({ 'config.txt': '' }), MiB, join(scratch.fresh(), 'boot'))
  expect(await taken.then(String, describeFailure)).toBe(
    'the boot partition has no kernel (kernel*.img)\n' +
      'Cause: it is not an image for a Raspberry Pi, or its kernel is elsewhere\n' +
      'Remedy: give `kernel` (and `initrd`, `dtb`) as files'
  )
})

test('what is no FAT is said to be none', async () => {
  const disk = join(scratch.fresh(), 'disk.img')
  writeFileSync(disk, Buffer.alloc(2 * MiB))
  const taken = takeBootFiles(disk, MiB, join(scratch.fresh(), 'boot'))
  expect(await taken.then(String, describeFailure)).toMatch(
    /^the FAT boot partition cannot be read: [\s\S]+\nCause: it is damaged, or not FAT$/
  )
})

describe('a kernel of another name', () => {
  const ubuntu = [
    ...['[all]', 'kernel=vmlinuz', 'cmdline=cmdline.txt', 'initramfs initrd.img followkernel', ''],
    ...['[pi4]', 'kernel=other', '[all]', 'arm_64bit=1', '[cm4]', 'dtoverlay=dwc2', '']
  ].join('\n')

  test('is taken where config.txt names it, under the name that boards know', async () => {
    const into = join(scratch.fresh(), 'boot')
    const files = { vmlinuz: gzipSync(kernel), 'initrd.img': 'cpio', 'config.txt': ubuntu, 'cmdline.txt': 'x\n' }
    const { names, kernelReleases } = await takeBootFiles(bootVolume(files), MiB, into)
    expect([...names].sort()).toEqual(['cmdline.txt', 'config.txt', 'initramfs8', 'kernel8.img'])
    expect(readFileSync(join(into, 'kernel8.img'))).toEqual(kernel)
    expect(kernelReleases).toEqual({ 'kernel8.img': '6.6.31+rpt-rpi-v8' })
  })

  test('does not count if it is not there', async () => {
    const taken = takeBootFiles(
      bootVolume({ 'config.txt': ubuntu, 'initrd.img': 'x' }),
      MiB,
      join(scratch.fresh(), 'b')
    )
    await expect(taken).rejects.toThrow('the boot partition has no kernel')
  })

  test('does not come before kernel*.img', async () => {
    const files = { 'kernel8.img': kernel, vmlinuz: 'x', 'config.txt': ubuntu }
    const { names } = await takeBootFiles(bootVolume(files), MiB, join(scratch.fresh(), 'boot'))
    expect([...names].sort()).toEqual(['config.txt', 'kernel8.img'])
  })

  test.each([
    ['', []],
    ['kernel=a\n', [{ from: 'a', as: 'kernel8.img' }]],
    [
      'arm_64bit=0\nkernel=a\ninitramfs b 0x00f00000\n',
      ['a', 'b'].map((from, at) => ({ from, as: at ? 'initramfs7' : 'kernel7.img' }))
    ],
    ['os_prefix=current/\nkernel=vmlinuz\n', [{ from: 'current/vmlinuz', as: 'kernel8.img' }]],
    ['[pi3]\nkernel=a\n[all]\n# kernel=b\n', []],
    ['[pi3]\nkernel=a\n[all]\nkernel=c', [{ from: 'c', as: 'kernel8.img' }]]
  ])('%j names %j', (config, files) => {
    expect(filesInConfig(config)).toEqual(files)
  })
})
