import type { Edit } from '../ext4'
import type { RootFacts } from '../families'
import type { Release } from '../releases'
import { enable } from './login'
import type { Part } from './part'

/** Programs that configure a network, and what each is told. */
export const networks = {
  NetworkManager: {
    unit: 'NetworkManager.service',
    needs: undefined,
    part: {
      edits: [
        {
          kind: 'file',
          path: '/etc/NetworkManager/system-connections/pi-qemu.nmconnection',
          content:
            '[connection]\nid=pi-qemu\ntype=ethernet\nautoconnect-priority=100\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=ignore\n',
          mode: 0o600
        }
      ],
      notes: ['Network: DHCP by NetworkManager']
    }
  },
  dhcpcd: {
    unit: 'dhcpcd.service',
    needs: '/etc/dhcpcd.conf',
    part: { notes: ['Network: DHCP by dhcpcd, as the image has it'] }
  },
  netplan: {
    // netplan is no service: at boot it writes what networkd reads.
    unit: 'systemd-networkd.service',
    needs: '/etc/netplan',
    part: {
      edits: [
        {
          kind: 'file',
          path: '/etc/netplan/05-pi-qemu.yaml',
          content:
            'network:\n  version: 2\n  renderer: networkd\n  ethernets:\n' +
            '    pi-qemu-e: {match: {name: "e*"}, dhcp4: true, optional: true}\n' +
            '    pi-qemu-usb: {match: {name: "usb*"}, dhcp4: true, optional: true}\n',
          mode: 0o600
        }
      ],
      notes: ['Network: DHCP by netplan and systemd-networkd']
    }
  },
  networkd: {
    unit: 'systemd-networkd.service',
    needs: undefined,
    part: {
      edits: [
        { kind: 'folder', path: '/etc/systemd/network', mode: 0o755 },
        {
          kind: 'file',
          path: '/etc/systemd/network/05-pi-qemu.network',
          content: '[Match]\nName=e* usb*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n',
          mode: 0o644
        }
      ],
      notes: ['Network: DHCP by systemd-networkd']
    }
  }
} as const satisfies Readonly<
  Record<string, { readonly unit: string; readonly needs: string | undefined; readonly part: Part }>
>

export type NetworkName = keyof typeof networks

/**
 * A DHCP profile for whatever NIC the board emulates, for the program that the image uses: the first of the release's
 * list that is switched on, else the first that is there. Explicit, because newer udev rules class QEMU's USB network
 * device as link-local only.
 */
export function network(facts: RootFacts, release: Release): Part {
  const there = release.networks.filter(name => {
    const { unit, needs } = networks[name]
    return facts.units.has(unit) && (needs === undefined || facts.paths.has(needs))
  })
  const on = there.filter(name => facts.enabled?.has(networks[name].unit) === true)
  const name = on[0] ?? there[0]
  if (name === undefined) return { notes: ['Network: left as the image has it'] }
  const { unit, part }: { unit: string; part: Part } = networks[name]
  const usesNetworkd = unit === networks.networkd.unit
  const isOff = facts.enabled !== undefined && on.length === 0
  return {
    ...part,
    edits: [
      ...(part.edits ?? []),
      ...(usesNetworkd || isOff ? enable(unit, 'multi-user.target') : []),
      ...(usesNetworkd ? resolver(facts) : [])
    ]
  }
}

function resolver(facts: RootFacts): readonly Edit[] {
  return facts.paths.has('/etc/resolv.conf')
    ? []
    : [{ kind: 'file', path: '/etc/resolv.conf', content: 'nameserver 10.0.2.3\n', mode: 0o644 }]
}
