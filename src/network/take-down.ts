import { readdirSync, readFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tool, tryTool } from '../host/exec'
import { end, identify, type ProcessIdentity } from '../host/processes'
import { interfaceArgument } from './dnsmasq'
import { tapPattern, type TapNetwork } from './types'

/**
 * Takes a guest off the network. What goes with the tap by itself: its addresses, its routes, its settings. Doing it
 * again is harmless.
 * @returns whether nothing of it is left
 */
export async function takeDownTap({ device, uplink, guest, enablesForwarding }: TapNetwork): Promise<boolean> {
  if (!tapPattern.test(device)) throw new Error(`${device} is not an interface of ours, left alone`)
  const left = await end(serversOf(device))
  if (await hasProxy(guest, uplink)) await tool('ip', ['neighbour', 'delete', 'proxy', guest, 'dev', uplink])
  if (interfaces().includes(device)) await tool('ip', ['link', 'delete', 'dev', device])
  const there = interfaces()
  if (enablesForwarding && there.includes(uplink) && !there.some(name => tapPattern.test(name)))
    await writeFile(join(settings, uplink, 'forwarding'), '0')
  return left.length === 0
}

/** The kernel's settings by interface, of this process's own network namespace; /sys may be another's. */
const settings = '/proc/sys/net/ipv4/conf'
const interfaces = (): readonly string[] => readdirSync(settings)

/** Every dnsmasq that serves the tap. It is another user's by now, so that its environment is not for us to read. */
function serversOf(device: string): readonly ProcessIdentity[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .flatMap(entry => {
      try {
        const words = readFileSync(`/proc/${entry}/cmdline`, 'utf8').split('\0')
        const identity = words.includes(interfaceArgument(device)) ? identify(Number(entry)) : undefined
        return identity === undefined ? [] : [identity]
      } catch {
        return [] // ended meanwhile
      }
    })
}

async function hasProxy(guest: string, uplink: string): Promise<boolean> {
  const { stdout } = await tryTool('ip', ['neighbour', 'show', 'proxy', 'dev', uplink])
  return stdout.split('\n').some(line => line.split(' ')[0] === guest)
}
