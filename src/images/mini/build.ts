import { chmod, copyFile, mkdir, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Architecture } from '../../boards'
import { debianPorts, kernelPorts } from '../debian/ports'
import { fetchKernel, installBootFiles, type DebianKernel } from '../debian/kernel'
import { assembleImage } from './assemble'
import { bootModules, copyModules } from './initramfs'
import { miniDhcpScript, miniInittab, miniSshStart, miniStartup } from './scripts'

/** Raise when what {@link buildMini} writes changes: images built before are then not used again. */
export const miniVersion = 4

/** Modules beyond those for booting that people expect of a small system. */
const extraModules = [
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'loop',
  'overlay',
  'fuse',
  'tun',
  '9p',
  '9pnet_virtio',
  'uas',
  'virtio_console'
]

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

const suite = 'bookworm'

/**
 * Builds a mini image: busybox and dropbear on Debian's kernel, shaped like a Raspberry Pi OS card (MBR, FAT32 boot
 * partition with kernels under Raspberry Pi's names, device trees, cmdline.txt and config.txt; ext4 root). Nothing of
 * it runs on the host.
 * @param out raw image to write
 * @param workDir folder for scratch files, on the same disk
 */
export async function buildMini(architecture: Architecture, out: string, workDir: string): Promise<void> {
  const kernels: DebianKernel[] = []
  for (const port of kernelPorts[architecture]) {
    const userland = port === architecture ? ['dropbear-bin', 'libtomcrypt1'] : []
    kernels.push(await fetchKernel(port, suite, join(workDir, `packages-${port}`), userland))
  }
  const boot = await bootTree(kernels, workDir)
  const root = await rootTree(architecture, kernels, workDir)
  await assembleImage({
    bootDir: boot,
    rootDir: root,
    out,
    bootMiB: 64 * kernels.length,
    rootMiB: 192,
    ownedByRoot: true,
    workDir,
    diskId: '31415926'
  })
  for (const dir of [...kernels.map(({ folder }) => folder), boot, root]) await rm(dir, { recursive: true })
}

async function bootTree(kernels: readonly DebianKernel[], workDir: string): Promise<string> {
  const boot = join(workDir, 'boot')
  await mkdir(boot)
  for (const kernel of kernels) await installBootFiles(kernel, boot, workDir)
  await writeFile(
    join(boot, 'cmdline.txt'),
    'console=ttyAMA0,115200 root=PARTUUID=31415926-02 rootfstype=ext4 rootwait\n'
  )
  await writeFile(join(boot, 'config.txt'), 'auto_initramfs=1\n')
  return boot
}

async function rootTree(
  architecture: Architecture,
  kernels: readonly DebianKernel[],
  workDir: string
): Promise<string> {
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

  const { triplet, loader } = debianPorts[architecture]
  const packages = join(workDir, `packages-${architecture}`)
  await copyFile(join(packages, 'bin/busybox'), join(root, 'usr/bin/busybox'))
  for (const path of busyboxApplets) await symlink('/usr/bin/busybox', join(root, 'usr', path))
  await copyFile(join(packages, 'usr/sbin/dropbear'), join(root, 'usr/sbin/dropbear'))
  await mkdir(join(root, 'usr/lib', triplet))
  for (const from of [`lib/${triplet}`, `usr/lib/${triplet}`]) {
    for (const name of (await readdir(join(packages, from))).filter(entry => libraries.test(entry))) {
      await copyFile(join(packages, from, name), join(root, 'usr/lib', triplet, name))
    }
  }
  await symlink(`${triplet}/${loader}`, join(root, 'usr/lib', loader))
  for (const kernel of kernels) {
    await copyModules(kernel.folder, root, kernel.version, [...Object.values(bootModules).flat(), ...extraModules])
  }

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
