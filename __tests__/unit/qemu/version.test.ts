import { boards, type BoardName } from '../../../src/boards'
import { machinesIn } from '../../../src/qemu'
import { hasBoard, nearestBoard, readTitle, unknownVersion, upstreamVersion } from '../../../src/qemu/version'

describe('what a QEMU says of itself', () => {
  test.each<[string, ReturnType<typeof readTitle>]>([
    [
      'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022 Fabrice Bellard\n',
      { version: '7.2.22', build: 'Debian 1:7.2+dfsg-7+deb12u18+b3' }
    ],
    ['QEMU emulator version 9.1.0\nCopyright\n', { version: '9.1.0', build: undefined }],
    ['QEMU emulator version 10.1.50 (v10.1.0-12-gdeadbeef)\n', { version: '10.1.50', build: 'v10.1.0-12-gdeadbeef' }],
    ['QEMU emulator version 9.2.0-rc1\n', { version: '9.2.0', build: undefined }],
    ['qemu-img version 10.0.2 (Debian 1:10.0.2+ds-2)\n', undefined],
    ['qemu-aarch64 version 7.2.22\n', undefined],
    ['', undefined]
  ])('%j', (text, title) => {
    expect(readTitle(text)).toEqual(title)
  })
})

test.each([
  ['1:7.2+dfsg-7+deb12u18', '7.2.0'],
  ['1:6.2+dfsg-2ubuntu6.26', '6.2.0'],
  ['1:8.2.2+ds-0ubuntu1.10', '8.2.2'],
  ['1:10.0.13+ds-0+deb13u1', '10.0.13'],
  ['10.2.0-1', '10.2.0'],
  ['(none)', undefined]
])("QEMU's own version in the package's %s is %s", (packageVersion, version) => {
  expect(upstreamVersion(packageVersion)).toBe(version)
})

test.each<[string, BoardName, boolean]>([
  ['7.2.22', 'raspi4b', false],
  ['8.2.2', 'raspi4b', false],
  ['9.0.0', 'raspi4b', true],
  ['10.0.13', 'raspi4b', true],
  ['5.1.9', 'raspi0', false],
  ['5.2.0', 'raspi0', true],
  [unknownVersion, 'virt', false]
])('QEMU %s and board %s: %s', (version, board, expected) => {
  expect(hasBoard(version, boards[board])).toBe(expected)
})

test('the nearest board runs the same systems, and is there', () => {
  expect(nearestBoard(boards.raspi4b, '7.2.22')).toBe('raspi3b')
  expect(nearestBoard(boards.raspi4b, '4.0.0')).toBe('virt')
  expect(nearestBoard(boards.raspi4b, unknownVersion)).toBeUndefined()
})

test("machines are the first words of QEMU's list, its title left out", () => {
  const help = [
    'Supported machines are:',
    'raspi3b              Raspberry Pi 3B (revision 1.2)',
    'virt                 QEMU 7.2 ARM Virtual Machine (alias of virt-7.2)',
    'virt-7.2             QEMU 7.2 ARM Virtual Machine',
    ''
  ]
  expect([...machinesIn(help.join('\n'))]).toEqual(['raspi3b', 'virt', 'virt-7.2'])
})
