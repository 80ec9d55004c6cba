import type { Architecture } from '../boards'
import type { Ext4 } from './ext4'

export type Family = 'raspios' | 'debian' | 'ubuntu' | 'mini' | 'unknown'

/** What an image's root file system says about itself; everything that provisioning decides on. */
export interface RootFacts {
  readonly family: Family
  /** PRETTY_NAME of os-release. */
  readonly title: string
  readonly architecture: Architecture
  /** Login names with a home and a shell, by name. */
  readonly users: Readonly<Record<string, { readonly uid: number; readonly gid: number; readonly home: string }>>
  /** systemd units that exist. */
  readonly units: ReadonlySet<string>
  /** Which of {@link probedPaths} exist. */
  readonly paths: ReadonlySet<string>
  /** Whether sshd reads the drop-ins in sshd_config.d. */
  readonly sshDropIns: boolean
  readonly sshConfig: string | undefined
  /** VERSION_CODENAME of os-release, such as `bookworm`. */
  readonly codename?: string | undefined
  /** Whether a graphical session starts. */
  readonly variant?: 'lite' | 'desktop'
  /** Units that are switched on; undefined where that was not looked at. */
  readonly enabled?: ReadonlySet<string>
  /** Where the FAT boot partition is mounted. */
  readonly bootMount?: string | undefined
  /** Contents of {@link readFiles}, those that exist. */
  readonly texts?: Readonly<Record<string, string>>
}

/** Small files that provisioning has to know in full, to change a line of them. */
export const readFiles = [
  '/etc/fstab',
  '/etc/hostname',
  '/etc/hosts',
  '/etc/ld.so.preload',
  '/etc/pam.d/sshd',
  '/etc/passwd',
  '/etc/shadow'
] as const

/** Units that start a graphical session. */
const displayManagers = ['lightdm.service', 'gdm.service', 'gdm3.service', 'sddm.service']

/** Paths whose presence decides something. */
export const probedPaths = [
  '/etc/rpi-issue',
  '/etc/crypttab',
  '/etc/integritytab',
  '/etc/pi-qemu',
  '/etc/rc.local',
  '/etc/veritytab',
  '/etc/ssh/sshd_config.d',
  '/etc/sudoers.d',
  '/etc/systemd/system/multi-user.target.wants',
  '/etc/systemd/network',
  '/etc/resolv.conf',
  '/etc/NetworkManager/system-connections',
  '/etc/dhcpcd.conf',
  '/etc/network/interfaces',
  '/etc/cloud/cloud.cfg.d',
  '/etc/netplan',
  '/lib/ld-linux-aarch64.so.1',
  '/lib/ld-linux-armhf.so.3',
  '/lib/ld-linux.so.3'
] as const

/** Reads the facts, offline. */
export async function readRootFacts(root: Ext4): Promise<RootFacts> {
  const osRelease = (await root.readText('/etc/os-release')) ?? (await root.readText('/usr/lib/os-release')) ?? ''
  const paths = await root.existing(probedPaths)
  const units = new Set<string>()
  for (const folder of ['/lib/systemd/system', '/etc/systemd/system']) {
    for (const unit of await root.list(folder)) if (!/\.(wants|requires|d)$/.test(unit)) units.add(unit)
  }
  // systemd makes a unit of each old-style script that has none.
  for (const script of await root.list('/etc/init.d')) units.add(`${script}.service`)
  const targets = ['multi-user', 'graphical', 'network-online', 'sysinit', 'cloud-init']
  const wanted = targets.map(target => root.list(`/etc/systemd/system/${target}.target.wants`))
  const enabled = new Set((await Promise.all(wanted)).flat())
  const read = await Promise.all(readFiles.map(async path => [path, await root.readText(path)] as const))
  const texts = Object.fromEntries(read.flatMap(([path, text]) => (text === undefined ? [] : [[path, text]])))
  const sshConfig = await root.readText('/etc/ssh/sshd_config')
  return {
    family: familyOf(osRelease, paths),
    title: field(osRelease, 'PRETTY_NAME') ?? 'unknown system',
    architecture: architectureOf(paths),
    users: parseUsers(texts['/etc/passwd'] ?? ''),
    codename: field(osRelease, 'VERSION_CODENAME'),
    variant: displayManagers.some(unit => units.has(unit)) ? 'desktop' : 'lite',
    enabled,
    bootMount: bootMountIn(texts['/etc/fstab'] ?? ''),
    texts,
    units,
    paths,
    sshDropIns: /^\s*Include\s+\/etc\/ssh\/sshd_config\.d\//im.test(sshConfig ?? ''),
    sshConfig
  }
}

/** Raspberry Pi OS calls itself `raspbian` or, 64-bit, `debian`: its own issue file tells. */
export function familyOf(osRelease: string, paths: ReadonlySet<string>): Family {
  if (paths.has('/etc/rpi-issue')) return 'raspios'
  const ids: Readonly<Record<string, Family>> = {
    raspbian: 'raspios',
    debian: 'debian',
    ubuntu: 'ubuntu',
    mini: 'mini'
  }
  const id = field(osRelease, 'ID') ?? ''
  return (Object.hasOwn(ids, id) ? ids[id] : undefined) ?? 'unknown'
}

function architectureOf(paths: ReadonlySet<string>): Architecture {
  if (paths.has('/lib/ld-linux-aarch64.so.1')) return 'arm64'
  return paths.has('/lib/ld-linux-armhf.so.3') ? 'armhf' : 'armel'
}

/** A field of os-release, quotes removed. */
export function field(osRelease: string, name: string): string | undefined {
  return new RegExp(`^${name}=(["']?)(.*)\\1$`, 'm').exec(osRelease)?.[2]
}

/** Where fstab mounts the boot partition. */
export function bootMountIn(fstab: string): string | undefined {
  return fstab
    .split('\n')
    .filter(line => !line.trimStart().startsWith('#'))
    .map(line => line.trim().split(/\s+/))
    .find(([, mount = '', type]) => type === 'vfat' && mount.startsWith('/boot'))?.[1]
}

export function parseUsers(passwd: string): RootFacts['users'] {
  const rows = passwd
    .split('\n')
    .map(line => line.split(':'))
    .filter(([name, , uid]) => name !== undefined && name !== '' && uid !== undefined)
  return Object.fromEntries(
    rows.map(([name = '', , uid, gid, , home = '/']) => [name, { uid: Number(uid), gid: Number(gid), home }])
  )
}
