import { join } from 'node:path'
import { guestPrefix, type GuestNet } from './addresses'

/** What dnsmasq writes in the run's folder, and in its logs. */
const files = { leases: 'dhcp-leases', pid: 'dnsmasq.pid', log: 'dnsmasq.log' } as const

/** What tells the dnsmasq of a tap from all others. */
export const interfaceArgument = (device: string): string => `--interface=${device}`

/**
 * dnsmasq's arguments: it gives the guest its one address for good, and answers its questions for names as this host
 * would, whose name server may be one that only this host reaches (Docker's, on 127.0.0.11). It listens on the tap alone.
 */
export function dnsmasqArguments(
  device: string,
  { guest }: Pick<GuestNet, 'guest'>,
  { folder, logs }: { readonly folder: string; readonly logs: string }
): readonly string[] {
  return [
    ...['--conf-file=/dev/null', interfaceArgument(device), '--except-interface=lo', '--bind-interfaces', '--no-hosts'],
    `--dhcp-range=${guest},${guest},${netmask},infinite`,
    // Nobody else has it, and the guest may come back as another client: after a reboot, from another system.
    ...['--dhcp-authoritative', '--dhcp-ignore-clid', '--no-ping'],
    `--dhcp-leasefile=${join(folder, files.leases)}`,
    `--pid-file=${join(folder, files.pid)}`,
    `--log-facility=${join(logs, files.log)}`
  ]
}

/** {@link guestPrefix} as it was written before there were prefixes. */
const netmask = `255.255.255.${256 - 2 ** (32 - guestPrefix)}`
