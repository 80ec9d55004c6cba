import { hasKvm } from '../../../src/host/kvm'

test.each([
  ['an Arm host with a device that may be opened', 'arm64', '/dev/null', true],
  ['an Arm host without', 'arm64', '/dev/no-such-device', false],
  ['another host, whatever it has', 'x64', '/dev/null', false],
  ['a 32-bit Arm host', 'arm', '/dev/null', false]
])('%s', async (_, architecture, device, able) => {
  expect(await hasKvm(architecture, device)).toBe(able)
})
