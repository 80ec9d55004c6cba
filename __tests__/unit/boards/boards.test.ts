import { boardNames, boards, defaultBoard } from '../../../src/boards'

test('a 64-bit image gets a Pi unless asked otherwise', () => {
  expect(defaultBoard('arm64')).toBe('raspi3b')
})

test('an architecture that no board runs gets none', () => {
  const runnable = new Set(Object.values(boards).flatMap(board => board.architectures))
  for (const architecture of (['armhf', 'armel'] as const).filter(name => !runnable.has(name)))
    expect(defaultBoard(architecture)).toBeUndefined()
  expect(runnable).toContain('arm64')
})

test.each(boardNames)('the row of %s is whole', name => {
  const { cpus, memoryMiB, kernels, architectures, consoles, uarts, ...board } = boards[name]
  expect(board.name).toBe(name)
  expect([cpus > 0, memoryMiB >= 256, kernels.length > 0, architectures.length > 0, uarts > 0]).not.toContain(false)
  for (const list of Object.values(consoles)) expect(list.at(-1)).toMatch(/^console=tty\w+,115200$/)
  // A board whose size may be chosen leaves the CPU to us; a Pi's is soldered.
  expect(board.cpu !== undefined).toBe(board.sizable)
})

test('a kernel argument of a board is one word', () => {
  const words = Object.values(boards).flatMap(row => [...row.kernelArguments, ...Object.values(row.consoles).flat()])
  expect(words.filter(word => /\s/.test(word))).toEqual([])
})
