import { shortcuts } from '../../../src/report/facts'

const asked = {
  ...{ mode: 'system', boot: 'fast', provision: 'auto', firmware: undefined },
  image: { kind: 'debian', name: 'debian-arm64', architecture: 'arm64', suite: 'bookworm' }
} as Parameters<typeof shortcuts>[0]

/** The inputs that the sentences name as the way back. */
const named = (...args: Parameters<typeof shortcuts>): readonly string[] =>
  shortcuts(...args).map(text => /`([^`]+)`[^`]*$/.exec(text)?.[1] ?? text)

test.each([
  ['an image that was prepared here', 'none', {}, ['boot: full']],
  ['one from a cache', 'prepared', {}, ['cache: off', 'boot: full']],
  ['one from a cache, without `prepare`', 'image', {}, ['cache: off', 'boot: full']],
  ['a booted Pi', 'snapshot', {}, ['snapshot: off', 'cache: off', 'boot: full']]
] as const)('%s', (_, level, facts, inputs) => {
  expect(named(asked, level, facts)).toEqual(inputs)
})

test('what was not made faster has nothing to say', () => {
  expect(shortcuts({ ...asked, boot: 'full' }, 'none', { accelerator: 'tcg' })).toEqual([])
  expect(shortcuts({ ...asked, provision: 'none' }, 'none', {})).toEqual([])
  expect(shortcuts({ ...asked, image: { kind: 'none' } }, 'none', {})).toEqual([])
})

test('KVM and user mode are said', () => {
  expect(shortcuts({ ...asked, boot: 'full' }, 'none', { accelerator: 'kvm' })).toEqual([expect.stringMatching(/^KVM/)])
  expect(shortcuts({ ...asked, mode: 'user' }, 'prepared', {})).toEqual([expect.stringMatching(/^user mode/)])
})
