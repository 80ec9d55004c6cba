import type { Family, RootFacts } from './families'
import type { NetworkName } from './provision/network'

/** How a release differs from the others, as far as a run is concerned. */
export interface Release {
  readonly family: Family
  /** VERSION_CODENAME; undefined for every other one of the family. */
  readonly codename: string | undefined
  readonly title: string
  /** Where it mounts the FAT boot partition, unless its fstab says otherwise. */
  readonly bootMount: string
  /** What may configure its network, the usual one first. */
  readonly networks: readonly NetworkName[]
  /** Whether its first boot reads userconf.txt. */
  readonly userconf: boolean
  /** What its own first boot does, for the log. */
  readonly firstBoot: string
}

const raspios = {
  family: 'raspios',
  bootMount: '/boot/firmware',
  networks: ['NetworkManager', 'dhcpcd', 'networkd'],
  userconf: true
} as const

/** One row per release that behaves in its own way; the row without a codename is for all others of its family. */
export const releases: readonly Release[] = [
  {
    ...raspios,
    codename: 'bullseye',
    title: 'Raspberry Pi OS bullseye',
    bootMount: '/boot',
    networks: ['dhcpcd', 'NetworkManager', 'networkd'],
    firstBoot: 'init_resize.sh as init, a reboot, then resize2fs_once, new SSH host keys and the wizard'
  },
  {
    ...raspios,
    codename: 'bookworm',
    title: 'Raspberry Pi OS bookworm',
    firstBoot: 'firstboot as init (root partition, SSH host keys, disk ID), a reboot, then the wizard'
  },
  {
    ...raspios,
    codename: 'trixie',
    title: 'Raspberry Pi OS trixie',
    networks: ['NetworkManager', 'netplan', 'networkd'],
    firstBoot: '`resize` in the initramfs (root partition, disk ID), then SSH host keys, cloud-init and the wizard'
  },
  { ...raspios, codename: undefined, title: 'Raspberry Pi OS', firstBoot: 'whatever its cmdline.txt and units say' },
  {
    family: 'ubuntu',
    codename: undefined,
    title: 'Ubuntu for Raspberry Pi',
    bootMount: '/boot/firmware',
    networks: ['netplan', 'NetworkManager', 'networkd'],
    userconf: false,
    firstBoot: 'cloud-init, as user-data and network-config on the boot partition say'
  },
  {
    family: 'debian',
    codename: undefined,
    title: 'Debian',
    bootMount: '/boot/firmware',
    networks: ['NetworkManager', 'dhcpcd', 'netplan', 'networkd'],
    userconf: false,
    firstBoot: 'whatever its units do'
  },
  {
    family: 'mini',
    codename: undefined,
    title: 'mini',
    bootMount: '/boot',
    networks: [],
    userconf: false,
    firstBoot: 'nothing'
  },
  {
    family: 'unknown',
    codename: undefined,
    title: 'unknown system',
    bootMount: '/boot',
    networks: ['NetworkManager', 'dhcpcd', 'netplan', 'networkd'],
    userconf: false,
    firstBoot: 'whatever its units do'
  }
]

/** The row for an image. */
export function releaseOf({ family, codename }: Pick<RootFacts, 'family' | 'codename'>): Release {
  const own = releases.filter(release => release.family === family)
  const row = own.find(release => release.codename === codename) ?? own.find(release => release.codename === undefined)
  if (row === undefined) throw new Error(`no row for the family ${family}`)
  return row
}
