import { chmod, copyFile, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tool } from '../../host/exec'
import { fetchPackages } from '../packages'
import { assembleImage } from './assemble'
import { bootModules, copyModules, kernelVersion, writeInitramfs } from './initramfs'
import { miniDhcpScript, miniInittab, miniSshStart, miniStartup } from './scripts'

/** Raise when what {@link buildMini} writes changes: images built before are then not used again. */
export const miniVersion = 1

/** Modules beyond those for booting that people expect of a small system. */
const extraModules = ['vfat', 'nls_cp437', 'nls_ascii', 'loop', 'overlay', 'fuse', 'tun', '9p', '9pnet_virtio', 'uas']

/** Shared libraries of the packages below that programs in the image link to; everything else in them stays out. */
const libraries =
  /^(ld-linux.*|lib(c|m|dl|pthread|rt|resolv|util|gcc_s|z|crypt|tomcrypt|tommath|gmp|nss_dns|nss_files)\.so\.\d+)$/

const text = {
  'etc/passwd': 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n',
  // No password is set: keys are the only way in.
  'etc/shadow': 'root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n',
  'etc/group': 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n',
  'etc/shells': '/bin/sh\n',
  'etc/hostname': 'mini\n',
  'etc/hosts': '127.0.0.1 localhost\n127.0.1.1 mini\n',
  'etc/profile': 'export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n',
  'etc/inittab': miniInittab,
  'etc/os-release':
    'PRETTY_NAME="Mini (busybox and dropbear on Debian\'s kernel)"\nNAME="Mini"\nID=mini\nID_LIKE=debian\nVERSION_CODENAME=bookworm\n'
} as const

const scripts = {
  'etc/init.d/rcS': miniStartup,
  'etc/rc.d/50-ssh': miniSshStart,
  'usr/share/udhcpc/default.script': miniDhcpScript
} as const

/**
 * Builds `mini-arm64`: busybox and dropbear on Debian's arm64 kernel, shaped like a Raspberry Pi OS card (MBR, FAT32
 * boot partition with kernel8.img, device trees, cmdline.txt and config.txt; ext4 root). Nothing of it runs on the host.
 * @param out raw image to write
 * @param workDir folder for scratch files, on the same disk
 */
export async function buildMini(out: string, workDir: string): Promise<void> {
  const packages = join(workDir, 'packages')
  await fetchPackages({
    architecture: 'arm64',
    suite: 'bookworm',
    packages: ['busybox-static', 'dropbear-bin', 'libtomcrypt1', 'linux-image-arm64'],
    into: packages
  })
  const version = await kernelVersion(packages)
  await tool('depmod', ['-b', packages, version])
  const boot = await bootTree(packages, version, workDir)
  const root = await rootTree(packages, version, workDir)
  await assembleImage({
    bootDir: boot,
    rootDir: root,
    out,
    bootMiB: 64,
    rootMiB: 192,
    ownedByRoot: true,
    workDir,
    diskId: '31415926'
  })
  for (const dir of [packages, boot, root]) await rm(dir, { recursive: true })
}

async function bootTree(packages: string, version: string, workDir: string): Promise<string> {
  const boot = join(workDir, 'boot')
  await mkdir(boot)
  await copyFile(join(packages, `boot/vmlinuz-${version}`), join(boot, 'kernel8.img'))
  const trees = join(packages, `usr/lib/linux-image-${version}/broadcom`)
  for (const name of await readdir(trees)) {
    if (name.endsWith('.dtb')) await copyFile(join(trees, name), join(boot, name))
  }
  await writeInitramfs({
    kernelRoot: packages,
    busybox: join(packages, 'bin/busybox'),
    out: join(boot, 'initramfs8'),
    workDir
  })
  await writeFile(
    join(boot, 'cmdline.txt'),
    'console=ttyAMA0,115200 root=PARTUUID=31415926-02 rootfstype=ext4 rootwait\n'
  )
  await writeFile(join(boot, 'config.txt'), 'arm_64bit=1\nauto_initramfs=1\n')
  return boot
}

async function rootTree(packages: string, version: string, workDir: string): Promise<string> {
  const root = join(workDir, 'root')
  const folders = [
    'boot/firmware',
    'dev',
    'etc/init.d',
    'etc/rc.d',
    'home',
    'mnt',
    'opt',
    'proc',
    'root',
    'run',
    'srv',
    'sys',
    'tmp'
  ]
  const merged = ['usr/bin', 'usr/sbin', 'usr/lib', 'usr/share/udhcpc', 'var/log', 'var/tmp', 'usr/local/bin']
  for (const dir of [...folders, ...merged]) await mkdir(join(root, dir), { recursive: true })
  await chmod(join(root, 'root'), 0o700)
  for (const dir of ['tmp', 'var/tmp']) await chmod(join(root, dir), 0o1777)
  for (const dir of ['bin', 'sbin', 'lib']) await symlink(`usr/${dir}`, join(root, dir))

  await copyFile(join(packages, 'bin/busybox'), join(root, 'usr/bin/busybox'))
  for (const path of busyboxApplets) await symlink('/usr/bin/busybox', join(root, 'usr', path))
  await copyFile(join(packages, 'usr/sbin/dropbear'), join(root, 'usr/sbin/dropbear'))
  const triplet = 'aarch64-linux-gnu'
  await mkdir(join(root, 'usr/lib', triplet))
  for (const from of [`lib/${triplet}`, `usr/lib/${triplet}`]) {
    for (const name of (await readdir(join(packages, from))).filter(entry => libraries.test(entry))) {
      await copyFile(join(packages, from, name), join(root, 'usr/lib', triplet, name))
    }
  }
  await symlink(`${triplet}/ld-linux-aarch64.so.1`, join(root, 'usr/lib/ld-linux-aarch64.so.1'))
  await copyModules(packages, root, version, [...Object.values(bootModules).flat(), ...extraModules])

  for (const [path, content] of Object.entries(text))
    await writeFile(join(root, path), content, { mode: path === 'etc/shadow' ? 0o600 : 0o644 })
  for (const [path, content] of Object.entries(scripts)) await writeFile(join(root, path), content, { mode: 0o755 })
  return root
}

/** Debian's busybox-static has these; named here because it cannot be asked on a host of another architecture. */
const busyboxApplets: readonly string[] = [
  ...(
    'ash awk base64 basename bc bunzip2 busybox.static bzip2 cal cat chgrp chmod chown chroot clear cmp comm cp cpio cttyhack cut date dc dd df ' +
    'diff dirname dmesg dos2unix du echo ed egrep env expand expr factor false fgrep find fold free ftpget ftpput getopt grep ' +
    'groups gunzip gzip head hexdump hostid hostname id install ionice ipcalc kill killall last less link ln logger logname ls lsscsi ' +
    'lzcat md5sum microcom mkdir mkfifo mknod mktemp more mount mt mv nc netstat nl nproc nslookup od paste patch pidof ping ping6 printenv printf ps pwd readlink ' +
    'realpath renice reset resume rev rm rmdir rpm2cpio run-parts sed seq setsid sh sha1sum sha256sum sha512sum shred shuf sleep sort ' +
    'split stat strings stty sync tac tail tar taskset tee telnet test tftp time timeout top touch tr traceroute true truncate tty umount uname ' +
    'uncompress unexpand uniq unix2dos unlink unlzma unxz unzip uptime usleep uudecode uuencode vi w watch wc wget which who whoami xargs xxd xz xzcat yes zcat'
  )
    .split(' ')
    .filter(name => name !== 'busybox.static')
    .map(name => `bin/${name}`),
  ...(
    'adjtimex arp arping blkdiscard blkid blockdev brctl depmod devmem fdisk findfs freeramdisk fsfreeze fstrim getty halt httpd hwclock ifconfig ' +
    'init insmod ip klogd losetup lsmod mke2fs mkswap modinfo modprobe nameif nologin pivot_root poweroff rdate reboot rmmod route ' +
    'swapoff swapon switch_root sysctl syslogd tunctl udhcpc udhcpd vconfig watchdog'
  )
    .split(' ')
    .map(name => `sbin/${name}`)
]
