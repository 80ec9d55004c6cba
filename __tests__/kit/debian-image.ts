import { createHash } from 'node:crypto'
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { assembleImage } from '../../src/images/mini/assemble'
import { kernelVersion, writeInitramfs } from '../../src/images/mini/initramfs'
import { installDebianArm64, unpackDebianArm64 } from './foreign-root'
import { needs } from './needs'
import { kitCache, madeOnce } from './once'
import { repository } from './runner'
import { run } from './run'

const suite = 'bookworm'
const diskId = '27182818'

const recipe = {
  packages: ['systemd-sysv', 'openssh-server', 'sudo', 'iproute2', 'kmod', 'udev', 'dbus', 'bash'],
  /** Shell lines run on the installed root, which is `$1`. */
  finish: [
    'chroot "$1" useradd --uid 1000 --create-home --shell /bin/bash --groups sudo --password "*" pi',
    // SSH is for provisioning to enable and to give keys to, as on a fresh Raspberry Pi OS.
    'rm "$1"/etc/ssh/ssh_host_* "$1"/etc/systemd/system/sshd.service',
    'rm "$1"/etc/systemd/system/multi-user.target.wants/ssh.service',
    // "uninitialized" would make the first boot apply presets, which enable ssh; Raspberry Pi OS has an empty file too.
    ': > "$1"/etc/machine-id',
    // mmdebstrap leaves its own settings and the build host's resolver and name.
    'rm "$1"/etc/resolv.conf "$1"/etc/apt/apt.conf.d/99mmdebstrap "$1"/etc/dpkg/dpkg.cfg.d/99mmdebstrap',
    'echo raspberrypi > "$1"/etc/hostname',
    'printf "127.0.0.1 localhost\\n127.0.1.1 raspberrypi\\n" > "$1"/etc/hosts',
    'mkdir "$1"/boot/firmware',
    `printf "PARTUUID=${diskId}-01 /boot/firmware vfat defaults 0 2\\n` +
      `PARTUUID=${diskId}-02 / ext4 defaults,noatime 0 1\\n" > "$1"/etc/fstab`
  ],
  kernelPackages: ['linux-image-arm64', 'busybox-static'],
  /** Folders of modules for devices that no emulated board has; they would be most of the image. */
  withoutModules: [
    'sound',
    'drivers/gpu',
    'drivers/iio',
    'drivers/infiniband',
    'drivers/media',
    'drivers/net/ethernet',
    'drivers/net/wireless',
    'drivers/staging'
  ],
  bootMiB: 128,
  rootMiB: 768
} as const

/** What the finished image depends on besides the recipe: with these it is assembled. */
const assembly = ['mini/assemble.ts', 'mini/initramfs.ts', 'mini/scripts.ts', 'ext4.ts', 'make-ext4.ts'].map(name =>
  join(repository, 'src/images', name)
)

const tools = [
  ...['mmdebstrap', 'debian-archive-keyring', 'qemu-user-static', 'kmod', 'cpio'],
  ...['fdisk', 'dosfstools', 'mtools', 'e2fsprogs']
]

/**
 * The path of a raw Debian 12 arm64 image with systemd and OpenSSH, shaped like a Raspberry Pi OS card: MBR, FAT32 boot
 * partition with Debian's kernel as kernel8.img, device trees and initramfs8; ext4 root. Like a fresh Raspberry Pi OS it
 * lets nobody in: no SSH host keys, ssh.service disabled, user `pi` without a usable password, no network profile.
 *
 * Made once per machine, as root, in some minutes: give the first test that asks 15 minutes. Never write to it.
 */
export async function debianImage(): Promise<string> {
  const sources = await Promise.all(assembly.map(file => readFile(file, 'utf8')))
  const path = join(kitCache, `debian-12-arm64-${hash([suite, diskId, recipe, ...sources])}.img`)
  return madeOnce(path, async unfinished => {
    await needs(tools)
    const workDir = `${unfinished}.work`
    await rm(workDir, { recursive: true, force: true })
    await mkdir(workDir, { recursive: true })
    try {
      await build(await debianParts(), unfinished, workDir)
    } finally {
      await rm(workDir, { recursive: true, force: true })
    }
  })
}

/**
 * The slow part, kept apart so that a change in how images are assembled does not cost it again: a folder with the
 * installed system as `root.tar`, and the kernel's packages unpacked in `kernel`.
 */
export async function debianParts(): Promise<string> {
  const { packages, finish, kernelPackages } = recipe
  const path = join(kitCache, `debian-12-arm64-parts-${hash([suite, packages, finish, kernelPackages])}`)
  return madeOnce(path, async unfinished => {
    await mkdir(unfinished, { recursive: true })
    await installDebianArm64({ suite, packages, finish, out: join(unfinished, 'root.tar') })
    const kernel = join(unfinished, 'kernel')
    await unpackDebianArm64({ suite, packages: kernelPackages, out: kernel })
    await run('depmod', ['-b', kernel, await kernelVersion(kernel)])
  })
}

async function build(parts: string, out: string, workDir: string): Promise<void> {
  const kernel = join(parts, 'kernel')
  const version = await kernelVersion(kernel)
  const [bootDir, rootDir] = [join(workDir, 'boot'), join(workDir, 'root')]
  for (const dir of [bootDir, rootDir]) await mkdir(dir)

  await copyFile(join(kernel, `boot/vmlinuz-${version}`), join(bootDir, 'kernel8.img'))
  const trees = join(kernel, `usr/lib/linux-image-${version}/broadcom`)
  for (const name of await readdir(trees)) await copyFile(join(trees, name), join(bootDir, name))
  const busybox = join(kernel, 'bin/busybox')
  await writeInitramfs({ kernelRoot: kernel, busybox, out: join(bootDir, 'initramfs8'), workDir })
  const cmdline = `console=ttyAMA0,115200 root=PARTUUID=${diskId}-02 rootfstype=ext4 rootwait`
  await writeFile(join(bootDir, 'cmdline.txt'), `${cmdline}\n`)
  await writeFile(join(bootDir, 'config.txt'), 'arm_64bit=1\nauto_initramfs=1\n')

  await unpackRoot(parts, rootDir)
  await assembleImage({ ...recipe, bootDir, rootDir, out, workDir, diskId })
}

/** Unpacks the installed system of {@link debianParts} into an empty folder, with the kernel's modules. */
export async function unpackRoot(parts: string, rootDir: string): Promise<void> {
  const kernel = join(parts, 'kernel')
  const version = await kernelVersion(kernel)
  await run('tar', ['--extract', '--preserve-permissions', '--numeric-owner', '--file', join(parts, 'root.tar')], {
    cwd: rootDir
  })
  const modules = join(rootDir, 'usr/lib/modules')
  await mkdir(modules)
  await run('cp', ['--archive', join(kernel, 'lib/modules', version), modules])
  for (const folder of recipe.withoutModules) {
    await rm(join(modules, version, 'kernel', folder), { recursive: true })
  }
  await run('depmod', ['-b', rootDir, version])
}

function hash(ingredients: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(ingredients)).digest('hex').slice(0, 12)
}
