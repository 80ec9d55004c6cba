import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { kernelVersion } from '../../../src/images/mini/initramfs'
import { installDebianArm64, unpackDebianArm64 } from '../foreign-root'
import { needs } from '../needs'
import { contentHash, kitCache, madeOnce } from '../once'
import { run } from '../run'

/**
 * One installed root for all look-alikes: it has what any of them needs, all of it switched off; each style switches
 * its own on. Debian 12 whatever the style: what the styles differ in is laid over it.
 */
const recipe = {
  suite: 'bookworm',
  packages: [
    ...['systemd-sysv', 'openssh-server', 'sudo', 'iproute2', 'kmod', 'udev', 'dbus', 'bash', 'procps'],
    ...['network-manager', 'dhcpcd', 'parted', 'fdisk', 'e2fsprogs', 'cloud-init', 'netplan.io']
  ],
  /** Shell lines run on the installed root, which is `$1`. */
  finish: [
    'chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash --groups sudo,netdev --password "*" pi',
    'rm -f "$1"/etc/ssh/ssh_host_* "$1"/etc/systemd/system/sshd.service',
    'rm -f "$1"/etc/systemd/system/multi-user.target.wants/ssh.service',
    'chroot "$1" systemctl disable NetworkManager NetworkManager-dispatcher NetworkManager-wait-online dhcpcd' +
      ' cloud-init-local cloud-init cloud-config cloud-final systemd-networkd',
    ': > "$1"/etc/machine-id',
    'rm -f "$1"/etc/resolv.conf "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap',
    'rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin'
  ],
  kernelPackages: ['linux-image-arm64', 'busybox-static']
} as const

const tools = ['mmdebstrap', 'debian-archive-keyring', 'qemu-user-static', 'kmod', 'cpio', 'dosfstools', 'mtools']

/** Folder with `root.tar` (an installed Debian arm64) and `kernel` (its kernel, unpacked). Made once, in some minutes. */
export async function lookAlikeBase(): Promise<string> {
  const { suite, packages, finish, kernelPackages } = recipe
  return madeOnce(join(kitCache, `look-alike-base-${contentHash([recipe])}`), async unfinished => {
    await needs(tools)
    await mkdir(unfinished, { recursive: true })
    await installDebianArm64({ suite, packages, finish, out: join(unfinished, 'root.tar') })
    const kernel = join(unfinished, 'kernel')
    await unpackDebianArm64({ suite, packages: kernelPackages, out: kernel })
    await run('depmod', ['-b', kernel, await kernelVersion(kernel)])
  })
}
