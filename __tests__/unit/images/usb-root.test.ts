import { namesNoCard, reachesUsb } from '../../../src/images/usb-root'

const mainline = [
  'kernel/drivers/usb/dwc2/dwc2.ko',
  'kernel/drivers/usb/storage/usb-storage.ko',
  'kernel/drivers/scsi/sd_mod.ko'
]
const raspberryPi = ['kernel/drivers/usb/host/dwc_otg/dwc_otg.ko', ...mainline.slice(1)]
const text = (lines: readonly string[]): string => lines.join('\n')

test('a kernel with the drivers built in boots from USB', () => {
  expect(reachesUsb({ builtin: text(raspberryPi), initramfs: '' })).toBe(true)
})

test('so does one that has them, or the rest of them, in an initramfs that is not packed', () => {
  expect(reachesUsb({ builtin: '', initramfs: text(mainline) })).toBe(true)
  expect(reachesUsb({ builtin: text(mainline.slice(0, 1)), initramfs: text(mainline.slice(1)) })).toBe(true)
})

test.each([0, 1, 2])('one that lacks a driver (%d), or packs it out of sight, is not certain to', at => {
  expect(reachesUsb({ builtin: text(mainline.filter((_, index) => index !== at)), initramfs: '' })).toBe(false)
})

test('a table that names the card by its device needs the card', () => {
  expect(namesNoCard('PARTUUID=1-02 / ext4 defaults 0 1\n# /dev/mmcblk0p3 /data ext4\n')).toBe(true)
  expect(namesNoCard('PARTUUID=1-02 / ext4 defaults 0 1\n/dev/mmcblk0p3 /data ext4 defaults 0 2\n')).toBe(false)
})
