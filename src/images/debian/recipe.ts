/** Raise when what {@link buildDebian} writes changes: images built before are then not used again. */
export const debianVersion = 1

/** MBR disk signature; the partitions' PARTUUIDs begin with it. */
export const debianDiskId = '16180339'

/**
 * Installed beside Debian's essential packages and apt. The network is systemd's own; no recommended packages, and no
 * package of the kernel: its scripts make an initramfs for half an hour in emulation.
 */
export const debianPackages = [
  ...['systemd-sysv', 'systemd-resolved', 'udev', 'dbus', 'kmod', 'iproute2', 'iputils-ping', 'procps'],
  ...['openssh-server', 'sudo', 'ca-certificates', 'e2fsprogs', 'login', 'netbase']
] as const

/** MiB. The image is sparse: free space costs nothing here, and room for packages is what a guest wants. */
export const debianSizes = { boot: 256, root: 3584 } as const

/** Folders of modules for devices that no emulated board has; they would be half of the root file system. */
export const needlessModules = [
  ...['amd', 'nouveau', 'radeon'].map(name => `drivers/gpu/drm/${name}`),
  ...['iio', 'infiniband', 'media', 'net/ethernet', 'net/wireless', 'scsi/lpfc', 'scsi/qla2xxx', 'staging'].map(
    name => `drivers/${name}`
  ),
  ...['pci', 'soc', 'firewire'].map(name => `sound/${name}`)
] as const

/** As in Debian's own images for containers: documentation and translations stay out, copyrights stay. */
export const leftOut = [
  ...['man', 'doc', 'info', 'locale', 'lintian', 'bug'].map(name => `path-exclude=/usr/share/${name}/*`),
  'path-include=/usr/share/doc/*/copyright'
] as const

/** Written into the root at its end. */
export const debianFiles: Readonly<Record<string, string>> = {
  '/etc/hostname': 'raspberrypi\n',
  '/etc/hosts': '127.0.0.1 localhost\n127.0.1.1 raspberrypi\n::1 localhost ip6-localhost ip6-loopback\n',
  '/etc/fstab': `PARTUUID=${debianDiskId}-01 /boot/firmware vfat defaults,nofail 0 2\nPARTUUID=${debianDiskId}-02 / ext4 defaults,noatime 0 1\n`,
  '/etc/systemd/network/80-wired.network': '[Match]\nName=e* usb*\n\n[Network]\nDHCP=yes\n',
  // "uninitialized" would make the first boot apply presets, which enable ssh; Raspberry Pi OS has an empty file too.
  '/etc/machine-id': ''
}

/** Groups of the user `pi`, as on Raspberry Pi OS, of those that Debian has. */
const groups = 'adm,dialout,cdrom,sudo,audio,video,plugdev,games,users,input,render'

/** Shell lines run on the installed root, which is `$1`; programs below `chroot` are the guest's. */
export const debianFinish: readonly string[] = [
  `chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash --groups ${groups} --password "*" pi`,
  // As on a fresh card: nobody gets in until SSH is enabled and has keys.
  'rm -f "$1"/etc/ssh/ssh_host_*',
  'chroot "$1" systemctl disable ssh.service',
  'chroot "$1" systemctl enable systemd-networkd.service systemd-resolved.service',
  'ln -sf ../run/systemd/resolve/stub-resolv.conf "$1"/etc/resolv.conf',
  'mkdir -p "$1"/boot/firmware',
  // What mmdebstrap wrote for itself.
  'rm -f "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap'
]
