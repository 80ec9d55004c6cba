import { dnsmasqArguments } from '../../../src/network/dnsmasq'
import { missingForTap, type TapRights } from '../../../src/network/rights'
import { takeDownTap } from '../../../src/network/take-down'
import { tapName, tapPattern } from '../../../src/network/types'

describe('what a tap needs', () => {
  // As /proc/self/status of root shows them on a host, in a plain container, and in one with NET_ADMIN.
  const [host, plain, admin] = ['000001ffffffffff', '00000000a80425fb', '00000000a80435fb']
  const enough: TapRights = { capabilities: admin, isRoot: true, hasTun: true }

  test('is there for root on a host, and in a container that was given it', () => {
    expect([missingForTap(enough), missingForTap({ ...enough, capabilities: host })]).toEqual([[], []])
  })

  test.each<[string, Partial<TapRights>, readonly string[]]>([
    ['without NET_ADMIN', { capabilities: plain }, ['the capability NET_ADMIN']],
    ['without a device', { hasTun: false }, ['the device /dev/net/tun']],
    [
      'of a container without either',
      { capabilities: plain, hasTun: false },
      ['the capability NET_ADMIN', 'the device /dev/net/tun']
    ],
    ['without root', { capabilities: '0000000000000000', isRoot: false }, ['root']]
  ])('%s is named', (_, rights, missing) => {
    expect(missingForTap({ ...enough, ...rights })).toEqual(missing)
  })
})

test('a tap is named after its run, in as many letters as Linux takes', () => {
  expect(tapName('run-0123456789ab')).toBe('pq-0123456789ab')
  expect(tapName('run-0123456789ab')).toMatch(tapPattern)
  expect(tapName('run-0123456789ab').length).toBeLessThan(16) // IFNAMSIZ, its end included
})

test('an interface that is not ours is left alone, whatever the journal says', async () => {
  const foreign = { kind: 'network', device: 'eth0', uplink: 'eth0', gateway: '10.0.0.1', guest: '10.0.0.2' } as const
  await expect(takeDownTap({ ...foreign, enablesForwarding: false })).rejects.toThrow('not an interface of ours')
})

test('dnsmasq serves the tap and no other, with one address for good', () => {
  const words = dnsmasqArguments('pq-0123456789ab', { guest: '172.17.255.238' }, { folder: '/run', logs: '/logs' })
  expect(words).toEqual(
    expect.arrayContaining([
      ...['--interface=pq-0123456789ab', '--except-interface=lo', '--bind-interfaces'],
      '--dhcp-range=172.17.255.238,172.17.255.238,255.255.255.252,infinite'
    ])
  )
})
