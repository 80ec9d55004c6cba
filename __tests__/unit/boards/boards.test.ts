import { architectures, boardNames, boards, boardsFor, defaultBoard, kernelFor } from '../../../src/boards'

describe('the board for an image that none was asked for', () => {
  const raspios32 = new Set(['kernel.img', 'kernel7.img', 'kernel7l.img', 'kernel8.img'])
  test.each([
    ['a 64-bit one', 'arm64', undefined, 'raspi3b'],
    ['a 32-bit one with a 64-bit kernel, as Raspberry Pi OS has it', 'armhf', raspios32, 'raspi3b'],
    ['a 32-bit one without', 'armhf', new Set(['kernel7.img']), 'raspi2b'],
    ["one for the first Pi's ARMv6", 'armhf', new Set(['kernel.img']), 'raspi0'],
    ['one with no kernel that is known', 'armhf', new Set(['vmlinuz']), 'raspi3b'],
    ['a soft-float one', 'armel', undefined, 'raspi0']
  ] as const)('%s', (_, architecture, available, board) => {
    expect(defaultBoard(architecture, available)).toBe(board)
  })
})

test('a board whose kernel the user brings is nobody’s default', () => {
  for (const architecture of architectures) expect(boardsFor(architecture)).not.toContain('versatilepb')
})

test('a kernel belongs to an architecture of the board', () => {
  const available = new Set(['kernel7.img', 'kernel8.img'])
  expect(kernelFor(boards.virt, 'armhf', available)).toBe('kernel7.img')
  expect(kernelFor(boards.virt, 'arm64', available)).toBe('kernel8.img')
  expect(kernelFor(boards.raspi3b, 'armhf', available)).toBe('kernel8.img')
  expect(kernelFor(boards.raspi2b, 'arm64', available)).toBeUndefined()
})

describe.each(boardNames)('the row of %s', name => {
  const board = boards[name]

  test('is whole', () => {
    expect(board.name).toBe(name)
    expect([board.cpus > 0, board.memoryMiB >= 256, board.uarts > 0]).not.toContain(false)
    expect(Object.keys(board.architectures).length).toBeGreaterThan(0)
    for (const list of Object.values(board.consoles)) expect(list.at(-1)).toMatch(/^console=tty\w+,115200$/)
  })

  test('leaves a choice of the CPU only where QEMU does', () => {
    const chosen = Object.values(board.architectures).map(({ cpu }) => cpu !== undefined)
    expect(new Set(chosen)).toEqual(new Set([board.sizable || board.kernelFromUser]))
  })

  test('has a kernel of each architecture, and device trees unless QEMU or the user makes them', () => {
    for (const { kernels } of Object.values(board.architectures)) expect(kernels.length).toBeGreaterThan(0)
    expect(board.deviceTrees.length > 0).toBe(board.needsDeviceTree && !board.kernelFromUser)
  })
})

test('a kernel argument of a board is one word', () => {
  const words = Object.values(boards).flatMap(row => [...row.kernelArguments, ...Object.values(row.consoles).flat()])
  expect(words.filter(word => /\s/.test(word))).toEqual([])
})
