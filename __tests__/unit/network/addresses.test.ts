import { guestNets, toAddress, toNumber, uplinkOf, type Interface, type Uplink } from '../../../src/network/addresses'

const inContainer: readonly Interface[] = [
  { ifname: 'lo', addr_info: [{ local: '127.0.0.1', prefixlen: 8, scope: 'host' }] },
  { ifname: 'eth0', addr_info: [{ local: '172.17.0.3', prefixlen: 16, scope: 'global' }] }
]
const second: Interface = { ifname: 'eth1', addr_info: [{ local: '10.1.0.9', prefixlen: 24, scope: 'global' }] }
const docker: Uplink = { device: 'eth0', address: '172.17.0.3', prefix: 16, gateway: '172.17.0.1' }

test.each(['0.0.0.0', '10.9.8.7', '172.17.255.254', '255.255.255.255'])('%s is a number, and back', address => {
  expect(toAddress(toNumber(address))).toBe(address)
})

describe('the uplink', () => {
  test('is where the default route leads', () => {
    expect(uplinkOf([{ dev: 'eth0', gateway: '172.17.0.1' }], [second, ...inContainer])).toEqual(docker)
  })

  test('is that of the best of several routes', () => {
    const routes = [
      { dev: 'eth1', gateway: '10.1.0.1', metric: 600 },
      { dev: 'eth0', gateway: '172.17.0.1', metric: 100 }
    ]
    expect(uplinkOf(routes, [second, ...inContainer])).toEqual(docker)
  })

  test('of a network without a way out is the only interface with an address', () => {
    expect(uplinkOf([], inContainer)).toEqual({ ...docker, gateway: undefined })
    expect(uplinkOf([], [...inContainer, second])).toBeUndefined()
  })

  test('is none where there is no network', () => {
    expect(uplinkOf([], [inContainer[0] ?? {}, {}])).toBeUndefined()
    expect(uplinkOf([{ dev: 'tun0' }], inContainer)).toBeUndefined()
  })
})

describe('networks for a guest', () => {
  /** Number of the network's /30 that an address is in. */
  const block = (address: string): number => Math.floor(toNumber(address) / 4)

  test('are four addresses each, from the upper end of the network', () => {
    expect(guestNets(docker, [], 2)).toEqual([
      { gateway: '172.17.255.237', guest: '172.17.255.238' },
      { gateway: '172.17.255.233', guest: '172.17.255.234' }
    ])
  })

  test('differ between neighbours', () => {
    const firsts = [2, 3, 4, 5, 6, 7].map(
      host => guestNets({ ...docker, address: `172.17.0.${host}` }, [], 1)[0]?.guest
    )
    expect(new Set(firsts).size).toBe(6)
  })

  test('leave out what this host has already, another guest for one', () => {
    expect(guestNets(docker, ['172.17.255.237'], 1)).toEqual([{ gateway: '172.17.255.233', guest: '172.17.255.234' }])
  })

  test.each([24, 26, 27, 28])('of a /%d hold neither end of it, nor its gateway, nor the host itself', prefix => {
    const uplink = { device: 'eth0', address: '192.168.7.9', prefix, gateway: '192.168.7.14' }
    const found = guestNets(uplink, [], 1000)
    expect(found.length).toBeGreaterThan(0)
    const blocks = found.map(({ guest }) => block(guest))
    expect(new Set(blocks).size).toBe(blocks.length)
    const last = 2 ** (32 - prefix) - 1
    for (const address of ['192.168.7.0', toAddress(toNumber('192.168.7.0') + last), uplink.address, uplink.gateway])
      expect(blocks).not.toContain(block(address))
    for (const { gateway, guest } of found) {
      expect(block(gateway)).toBe(block(guest))
      expect(toNumber(guest) - toNumber('192.168.7.0')).toBeLessThan(last)
    }
  })

  test.each([29, 30, 31, 32])('are none in a /%d', prefix => {
    expect(guestNets({ ...docker, prefix }, [])).toEqual([])
  })
})
