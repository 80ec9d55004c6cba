import { boards, diskPlace, fasterPlaces } from '../../../src/boards'

const able = { board: boards.raspi3b, qemu: '7.2.22', asked: 'auto', bootsFromUsb: true } as const

test('the disk is on USB where that was measured to be faster', () => {
  expect(diskPlace(able)).toBe('usb')
  expect(diskPlace({ ...able, qemu: '10.0.13' })).toBe('usb')
  expect(diskPlace({ ...able, board: boards.raspi2b })).toBe('usb')
})

test('it is in the card slot on a board, or with a QEMU, that was not measured', () => {
  for (const qemu of ['6.2.0', '11.0.0', undefined]) expect(diskPlace({ ...able, qemu })).toBe('sd')
  for (const name of ['raspi0', 'raspi1ap', 'raspi3ap', 'raspi4b'] as const)
    expect(diskPlace({ ...able, board: boards[name] })).toBe('sd')
})

test('it is in the card slot where it is not certain that the kernel boots from USB', () => {
  expect(diskPlace({ ...able, bootsFromUsb: false })).toBe('sd')
})

test('it is where it was asked to be, whatever is known', () => {
  expect(diskPlace({ ...able, asked: 'sd' })).toBe('sd')
  expect(diskPlace({ ...able, board: boards.raspi4b, asked: 'usb', bootsFromUsb: false })).toBe('usb')
})

test('a board without a card slot has its disk where every volume is', () => {
  expect(diskPlace({ ...able, board: boards.virt })).toBeUndefined()
})

test('each row says what was measured, of a board with a card slot', () => {
  for (const { board, qemu, why } of fasterPlaces) {
    expect(boards[board].disk).toBe('sd')
    expect(qemu[0]).toBeLessThanOrEqual(qemu[1])
    expect(why).toMatch(/\d+ s/)
  }
})
