import { createSocket } from 'node:dgram'
import { readFile, writeFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { tool } from '../host/exec'
import type { Journal } from '../journal'
import { HostFailure, messageOf } from '../report/errors'
import type { Log } from '../report/log'
import { guestNets, guestPrefix, uplinkOf, type GuestNet, type Interface, type Route, type Uplink } from './addresses'
import { dnsmasqArguments } from './dnsmasq'
import { tapName, tapPattern, type TapNetwork } from './types'

interface Place {
  readonly journal: Journal
  readonly log: Log
}

/** Set on a tap whose run found the uplink passing nothing on; a later run takes it over. */
const forwardsMark = 'pi-qemu: forwarding was off'

/** How long (ms) a neighbour may take to say that an address is its own; one who answers for another waits up to 0.8 s. */
const neighbourPatience = 1500

/**
 * Puts a guest on the network of this host (or container): a tap between the two with addresses that are the network's
 * own, for which this host answers on its uplink. Nothing is translated, and no address or route of the host changes.
 * @throws HostFailure if there is no such network, or no free address on it
 */
export async function makeTap({ journal, log }: Place): Promise<TapNetwork> {
  const interfaces = await ask<Interface>('address', 'show')
  const uplink = uplinkOf(await ask<Route>('route', 'show', 'default'), interfaces)
  if (uplink === undefined)
    throw new HostFailure({
      symptom: '`network: tap` finds no network to put the guest on',
      cause: 'there is no default route, and not just one interface with an IPv4 address',
      remedy: 'connect this host (or container) to a network, or use `network: user`'
    })
  const own = interfaces.flatMap(({ addr_info }) => (addr_info ?? []).flatMap(({ local }) => local ?? []))
  const net = await freeNet(uplink, own)
  const device = tapName(journal.id)
  const wasOff = (await isForwarding(uplink.device)) ? await oweForwarding() : true
  const made: TapNetwork = {
    ...{ kind: 'network', device, uplink: uplink.device, gateway: net.gateway, guest: net.guest },
    enablesForwarding: wasOff
  }
  journal.record(made)
  await tool('ip', ['tuntap', 'add', 'dev', device, 'mode', 'tap'])
  if (wasOff) await tool('ip', ['link', 'set', 'dev', device, 'alias', forwardsMark])
  await tool('ip', ['address', 'add', `${net.gateway}/${guestPrefix}`, 'dev', device])
  await tool('ip', ['link', 'set', 'dev', device, 'up'])
  for (const name of [uplink.device, device]) await forward(name)
  await tool('ip', ['neighbour', 'add', 'proxy', net.guest, 'dev', uplink.device])
  await tool('dnsmasq', dnsmasqArguments(device, net, journal))
  log.info(`Network: ${net.guest} on the network of ${uplink.device} (${uplink.address}/${uplink.prefix})`)
  return made
}

async function ask<Row>(...what: readonly string[]): Promise<readonly Row[]> {
  return JSON.parse((await tool('ip', ['-json', '-4', ...what])) || '[]') as readonly Row[]
}

async function freeNet(uplink: Uplink, own: readonly string[]): Promise<GuestNet> {
  for (const net of guestNets(uplink, own)) {
    const answers = await Promise.all([net.gateway, net.guest].map(address => hasNeighbour(address, uplink.device)))
    if (!answers.includes(true)) return net
  }
  throw new HostFailure({
    symptom: `\`network: tap\` finds no free addresses in ${uplink.address}/${uplink.prefix} (${uplink.device})`,
    cause: 'the network is too small, or its upper addresses are taken',
    remedy: 'use a larger network (docker network create --subnet 172.30.0.0/16 …), or `network: user`'
  })
}

/** Whether somebody on the network has an address: to send there, the kernel has to ask for it. */
async function hasNeighbour(address: string, device: string): Promise<boolean> {
  const socket = createSocket('udp4').unref()
  // Port 9 is that of a service that throws away what it gets.
  await new Promise(resolve => {
    socket.once('error', resolve)
    socket.send('', 9, address, resolve)
  })
  const deadline = Date.now() + neighbourPatience
  try {
    while (Date.now() < deadline) {
      const [row] = await ask<{ readonly lladdr?: string }>('neighbour', 'show', 'to', address, 'dev', device)
      if (row?.lladdr !== undefined) return true
      await sleep(100)
    }
    return false
  } finally {
    socket.close()
  }
}

/** Whether another run of ours made the uplink pass packets on, and so the last of us is to undo it. */
async function oweForwarding(): Promise<boolean> {
  const links = await ask<{ readonly ifname?: string; readonly ifalias?: string }>('link', 'show')
  return links.some(({ ifname = '', ifalias }) => tapPattern.test(ifname) && ifalias === forwardsMark)
}

const forwardingFile = (device: string): string => `/proc/sys/net/ipv4/conf/${device}/forwarding`

/** Whether packets that come in on an interface are passed on. */
export async function isForwarding(device: string): Promise<boolean> {
  return (await readFile(forwardingFile(device), 'utf8')).trim() === '1'
}

async function forward(device: string): Promise<void> {
  if (await isForwarding(device)) return
  await writeFile(forwardingFile(device), '1').catch((error: unknown) => {
    throw new HostFailure({
      symptom: `${device} does not pass packets on, and cannot be told to: ${messageOf(error)}`,
      cause: 'in a container the settings of the kernel are read-only',
      remedy: 'start the container with: --sysctl net.ipv4.ip_forward=1'
    })
  })
}
