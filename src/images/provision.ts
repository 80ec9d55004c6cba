import { posix } from 'node:path'
import type { Edit } from './ext4'
import type { RootFacts } from './families'
import { placeholder, type SlotContent } from './keys'
import { masksOnDisk } from './uefi'

/** Raise when what provisioning does changes: images prepared before are then not used again. */
export const provisionVersion = 1

export interface Slot {
  readonly path: string
  readonly content: SlotContent
}

export interface Provisioning {
  readonly edits: readonly Edit[]
  /** One sentence per change, for the log. */
  readonly notes: readonly string[]
  readonly slots: readonly Slot[]
  /** Kernel arguments that make the rest of the difference without touching the disk. */
  readonly kernelArguments: readonly string[]
  /** Files and links that were not there before: `save-image` takes them out again. */
  readonly created: readonly string[]
}

/**
 * Units that a CI run in an emulator never needs, each with its reason. They are masked on the kernel command line,
 * so the disk keeps them.
 */
export const needlessUnits: Readonly<Record<string, string>> = {
  'apt-daily.timer': 'fetches package lists in the background',
  'apt-daily-upgrade.timer': 'upgrades packages under the running script',
  'avahi-daemon.service': 'nobody listens on an emulated network',
  'bluetooth.service': 'no Bluetooth',
  'console-setup.service': 'no console font on a serial line',
  'dphys-swapfile.service': 'creates a swap file at boot',
  'e2scrub_reap.service': 'no LVM',
  'fake-hwclock-load.service': 'would set the clock back',
  'hciuart.service': 'no Bluetooth',
  'keyboard-setup.service': 'no keyboard',
  'logrotate.timer': 'nothing to rotate in one run',
  'man-db.timer': 'indexes manual pages in the background',
  'ModemManager.service': 'no modem',
  'NetworkManager-wait-online.service': 'SSH does not wait for it',
  'plymouth-start.service': 'no splash screen',
  'rng-tools-debian.service': 'the kernel seeds itself',
  'rpi-eeprom-update.service': 'no EEPROM',
  'systemd-networkd-wait-online.service': 'SSH does not wait for it',
  'systemd-timesyncd.service': 'the host sets the clock',
  'triggerhappy.service': 'no buttons',
  'udisks2.service': 'no disks to plug in',
  'wpa_supplicant.service': 'no wireless network'
}

/** Units of the first boot: they ask questions, repartition, make new host keys, or reboot. */
export const firstBootUnits: Readonly<Record<string, string>> = {
  'cloud-init.service': 'configures the system again',
  'cloud-init-local.service': 'configures the network again',
  'cloud-config.service': 'configures the system again',
  'cloud-final.service': 'configures the system again',
  'regenerate_ssh_host_keys.service': 'would replace the host keys',
  'resize2fs_once.service': 'would grow the file system',
  'rpi-resize.service': 'would grow the file system',
  'sshswitch.service': 'SSH is switched on already',
  'systemd-firstboot.service': 'asks questions on the console',
  'userconfig.service': 'asks questions on the console'
}

const folder = '/etc/pi-qemu'
const authorizedKeys = `${folder}/authorized_keys`
const hostKey = `${folder}/ssh_host_ed25519_key`

/**
 * Decides how an image is made ready for an unattended login. Pure: facts in, changes out.
 * @param firmware where that starts the image, its kernel's arguments are not ours to choose
 */
export function provisioning(facts: RootFacts, user: string, firmware?: 'uefi'): Provisioning {
  const parts =
    facts.family === 'mini'
      ? [miniLogin()]
      : [sshLogin(facts), network(facts), passwordlessSudo(facts, user), quietBoot(facts, firmware)]
  const edits = parts.flatMap(part => part.edits ?? [])
  return {
    edits,
    notes: parts.flatMap(part => part.notes ?? []),
    slots: parts.flatMap(part => part.slots ?? []),
    kernelArguments: parts.flatMap(part => part.kernelArguments ?? []),
    created: edits.flatMap(edit => (edit.kind === 'file' || edit.kind === 'symlink' ? [edit.path] : []))
  }
}

type Part = Partial<Provisioning>

const slotFile = (path: string, content: SlotContent, mode: number): Edit => ({
  kind: 'file',
  path,
  content: placeholder(content),
  mode
})

function miniLogin(): Part {
  const dropbearKey = `${folder}/dropbear_host_key`
  return {
    edits: [
      { kind: 'folder', path: folder, mode: 0o755 },
      slotFile(authorizedKeys, 'authorized-keys', 0o600),
      slotFile(dropbearKey, 'dropbear-host-key', 0o600)
    ],
    slots: [
      { path: authorizedKeys, content: 'authorized-keys' },
      { path: dropbearKey, content: 'dropbear-host-key' }
    ],
    notes: ["SSH: this run's key for root, and its host key"]
  }
}

function sshLogin(facts: RootFacts): Part {
  const settings = [
    '# Written by pi-qemu: login with the key of the run, to a host whose key is known beforehand.',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile .ssh/authorized_keys ${authorizedKeys}`,
    'PermitRootLogin prohibit-password',
    'PubkeyAuthentication yes',
    'UseDNS no',
    ''
  ].join('\n')
  const config: Edit = facts.sshDropIns
    ? { kind: 'file', path: '/etc/ssh/sshd_config.d/00-pi-qemu.conf', content: settings, mode: 0o644 }
    : // sshd takes the first value it meets, so ours have to come first.
      { kind: 'file', path: '/etc/ssh/sshd_config', content: `${settings}${facts.sshConfig ?? ''}`, mode: 0o644 }
  const unit = facts.units.has('ssh.service') ? 'ssh.service' : 'sshd.service'
  return {
    edits: [
      { kind: 'folder', path: folder, mode: 0o755 },
      slotFile(authorizedKeys, 'authorized-keys', 0o644),
      slotFile(hostKey, 'host-key', 0o600),
      config,
      ...enable(unit, 'multi-user.target')
    ],
    slots: [
      { path: authorizedKeys, content: 'authorized-keys' },
      { path: hostKey, content: 'host-key' }
    ],
    notes: [`SSH: enabled (${unit}), this run's key for every user, its host key in ${config.path}`]
  }
}

/** Debian's way to enable a unit: a link in the folder of the target that wants it. */
function enable(unit: string, target: string): readonly Edit[] {
  const wants = `/etc/systemd/system/${target}.wants`
  return [
    { kind: 'folder', path: wants, mode: 0o755 },
    { kind: 'symlink', path: posix.join(wants, unit), target: `/lib/systemd/system/${unit}` }
  ]
}

/**
 * A DHCP profile for whatever NIC the board emulates. Explicit, because newer udev rules class QEMU's USB network
 * device as link-local only.
 */
function network(facts: RootFacts): Part {
  const resolver: readonly Edit[] = facts.paths.has('/etc/resolv.conf')
    ? []
    : [{ kind: 'file', path: '/etc/resolv.conf', content: 'nameserver 10.0.2.3\n', mode: 0o644 }]
  if (facts.units.has('NetworkManager.service')) {
    const path = '/etc/NetworkManager/system-connections/pi-qemu.nmconnection'
    const content =
      '[connection]\nid=pi-qemu\ntype=ethernet\nautoconnect-priority=100\n\n[ipv4]\nmethod=auto\n\n[ipv6]\nmethod=ignore\n'
    return { edits: [{ kind: 'file', path, content, mode: 0o600 }], notes: ['Network: DHCP by NetworkManager'] }
  }
  if (facts.paths.has('/etc/dhcpcd.conf') && facts.units.has('dhcpcd.service'))
    return { notes: ['Network: DHCP by dhcpcd, as the image has it'] }
  if (facts.units.has('systemd-networkd.service')) {
    const path = '/etc/systemd/network/05-pi-qemu.network'
    const content = '[Match]\nName=e* usb*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n'
    return {
      edits: [
        { kind: 'folder', path: '/etc/systemd/network', mode: 0o755 },
        { kind: 'file', path, content, mode: 0o644 },
        ...enable('systemd-networkd.service', 'multi-user.target'),
        ...resolver
      ],
      notes: ['Network: DHCP by systemd-networkd']
    }
  }
  return { notes: ['Network: left as the image has it'] }
}

function passwordlessSudo(facts: RootFacts, user: string): Part {
  if (user === 'root' || !facts.paths.has('/etc/sudoers.d')) return {}
  // A name that sorts last wins over other rules for the same user.
  const path = '/etc/sudoers.d/zz-pi-qemu'
  return {
    edits: [{ kind: 'file', path, content: `${user} ALL=(ALL:ALL) NOPASSWD: ALL\n`, mode: 0o440 }],
    notes: [`sudo: without a password for ${user}`]
  }
}

function quietBoot(facts: RootFacts, firmware: 'uefi' | undefined): Part {
  const masked = [...Object.keys(firstBootUnits), ...Object.keys(needlessUnits)].filter(unit => facts.units.has(unit))
  if (firmware !== undefined)
    return masked.length === 0 ? {} : { edits: masksOnDisk(masked), notes: [`Masked on disk: ${masked.join(', ')}`] }
  return {
    kernelArguments: ['fsck.mode=skip', ...masked.map(unit => `systemd.mask=${unit}`)],
    notes: masked.length > 0 ? [`Masked for this boot (kernel command line): ${masked.join(', ')}`] : []
  }
}
