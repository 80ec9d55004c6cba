import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { bootModules, kernelVersion, moduleClosure } from '../../../../src/images/mini/initramfs'
import { scratchFolder } from '../../scratch'

const scratch = scratchFolder()

const modulesDep = [
  'kernel/drivers/usb/dwc2/dwc2.ko: kernel/drivers/usb/core/usbcore.ko kernel/drivers/usb/common/usb-common.ko',
  'kernel/drivers/usb/core/usbcore.ko: kernel/drivers/usb/common/usb-common.ko',
  'kernel/drivers/usb/common/usb-common.ko:',
  'kernel/fs/ext4/ext4.ko.xz: kernel/fs/jbd2/jbd2.ko.xz kernel/lib/crc16.ko.xz',
  'kernel/fs/jbd2/jbd2.ko.xz:',
  'kernel/lib/crc16.ko.xz:',
  'kernel/drivers/usb/phy/phy-generic.ko: ',
  'kernel/drivers/scsi/sd_mod.ko:',
  ''
].join('\n')

test('modules come with all they depend on, each once, in order of their names', () => {
  expect(moduleClosure(modulesDep, ['dwc2', 'usbcore'])).toEqual([
    'kernel/drivers/usb/common/usb-common.ko',
    'kernel/drivers/usb/core/usbcore.ko',
    'kernel/drivers/usb/dwc2/dwc2.ko'
  ])
})

test('compressed modules are found by the same names', () => {
  expect(moduleClosure(modulesDep, ['ext4'])).toEqual([
    'kernel/fs/ext4/ext4.ko.xz',
    'kernel/fs/jbd2/jbd2.ko.xz',
    'kernel/lib/crc16.ko.xz'
  ])
})

test('a dash and an underscore are the same, on either side', () => {
  expect(moduleClosure(modulesDep, ['phy_generic', 'sd-mod'])).toEqual([
    'kernel/drivers/scsi/sd_mod.ko',
    'kernel/drivers/usb/phy/phy-generic.ko'
  ])
})

test('what the kernel has not as a module is left out, and names are whole names', () => {
  expect(moduleClosure(modulesDep, ['virtio_blk', 'usb', 'ext', 'ko'])).toEqual([])
})

test('of no modules there is nothing', () => {
  expect(moduleClosure(modulesDep, [])).toEqual([])
  expect(moduleClosure('', ['ext4'])).toEqual([])
})

test('phy-generic is loaded before dwc2, which waits for it', () => {
  const list: readonly string[] = bootModules.raspi
  expect(list.indexOf('phy-generic')).toBeLessThan(list.indexOf('dwc2'))
})

describe('the kernel version', () => {
  function root(...versions: readonly string[]): string {
    const folder = scratch.fresh()
    for (const version of ['', ...versions]) mkdirSync(join(folder, 'lib/modules', version), { recursive: true })
    return folder
  }

  test('is the one that has modules', async () => {
    expect(await kernelVersion(root('6.1.0-28-arm64'))).toBe('6.1.0-28-arm64')
  })

  test('is not guessed among two, or none', async () => {
    await expect(kernelVersion(root('6.1', '6.6'))).rejects.toThrow(/should hold one kernel, found: 6\.[16], 6\.[16]$/)
    await expect(kernelVersion(root())).rejects.toThrow(/found: none$/)
  })
})
