import { cpuList } from '../../../src/qemu/secondaries'

test.each([
  ['0-3', [0, 1, 2, 3]],
  ['0', [0]],
  ['1,4-6,9\n', [1, 4, 5, 6, 9]],
  ['', []],
  ['none', []]
])('%j are the CPUs %j', (text, cpus) => {
  expect(cpuList(text)).toEqual(cpus)
})
