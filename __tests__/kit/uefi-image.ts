import { createHash } from 'node:crypto'
import { copyFile, mkdir, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { makeExt4 } from '../../src/images/make-ext4'
import { kernelVersion, writeInitramfs } from '../../src/images/mini/initramfs'
import { debianParts, unpackRoot } from './debian-image'
import { unpackDebianArm64 } from './foreign-root'
import { needs } from './needs'
import { kitCache, madeOnce } from './once'
import { repository } from './runner'
import { run } from './run'

const MiB = 1024 * 1024

/** As the cloud images of Debian and Ubuntu have it: the root is partition 1, the EFI system partition 15 lies before it. */
const layout = { espStart: 1, espMiB: 63, rootStart: 64, rootMiB: 832 } as const
const labels = { root: 'cloudimg-rootfs', esp: 'UEFI' } as const

/** On the ESP, where Debian's GRUB looks first: it goes on with the one on the root file system. */
const espConfig = `search --no-floppy --set=root --label ${labels.root}
set prefix=($root)/boot/grub
configfile $prefix/grub.cfg
`

const rootConfig = (version: string): string => `set timeout=0
menuentry 'Debian GNU/Linux' {
  search --no-floppy --set=root --label ${labels.root}
  linux /boot/vmlinuz-${version} root=LABEL=${labels.root} ro console=tty1 console=ttyAMA0
  initrd /boot/initrd.img-${version}
}
`

const tools = ['mmdebstrap', 'debian-archive-keyring', 'kmod', 'cpio', 'fdisk', 'dosfstools', 'mtools', 'e2fsprogs']

/** What the finished image depends on besides this file. */
const assembly = ['src/images/mini/initramfs.ts', 'src/images/mini/scripts.ts', '__tests__/kit/debian-image.ts']

/**
 * The path of a raw Debian 12 arm64 image as a cloud provider would start it: GPT, EFI system partition with GRUB at
 * the place for removable disks, kernel, initramfs and grub.cfg in /boot of the ext4 root. Nobody can log in to it.
 *
 * Made once per machine, as root; the slow part is shared with {@link debianParts}. Never write to it.
 */
export async function uefiImage(): Promise<string> {
  const sources = await Promise.all([__filename, ...assembly.map(name => join(repository, name))].map(readText))
  const hash = createHash('sha256').update(JSON.stringify(sources)).digest('hex').slice(0, 12)
  return madeOnce(join(kitCache, `debian-12-uefi-arm64-${hash}.img`), async unfinished => {
    await needs(tools)
    const workDir = `${unfinished}.work`
    await rm(workDir, { recursive: true, force: true })
    await mkdir(workDir, { recursive: true })
    try {
      await build(await debianParts(), await grub(), unfinished, workDir)
    } finally {
      await rm(workDir, { recursive: true, force: true })
    }
  })
}

const readText = (file: string): Promise<string> => readFile(file, 'utf8')

/** Debian's GRUB for arm64, with all its modules in one file. */
async function grub(): Promise<string> {
  return madeOnce(join(kitCache, 'grubaa64-bookworm.efi'), async unfinished => {
    const packages = `${unfinished}.packages`
    await unpackDebianArm64({ suite: 'bookworm', packages: ['grub-efi-arm64-bin'], out: packages })
    await copyFile(join(packages, 'usr/lib/grub/arm64-efi/monolithic/grubaa64.efi'), unfinished)
    await rm(packages, { recursive: true })
  })
}

async function build(parts: string, grubFile: string, out: string, workDir: string): Promise<void> {
  const { espStart, espMiB, rootStart, rootMiB } = layout
  const rootDir = join(workDir, 'root')
  await mkdir(rootDir)
  await unpackRoot(parts, rootDir)
  await toCloudRoot(rootDir, parts, workDir)

  // The backup of the partition table takes the last 33 sectors.
  await truncate(await emptyFile(out), (rootStart + rootMiB + 1) * MiB)
  const table = [
    'label: gpt',
    `start=${rootStart}MiB, size=${rootMiB}MiB, type=B921B045-1DF0-41C3-AF44-4C6F280D3FAE`,
    `${out}15 : start=${espStart}MiB, size=${espMiB}MiB, type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B`
  ]
  const tableFile = join(workDir, 'table')
  await writeFile(tableFile, `${table.join('\n')}\n`)
  await run('sh', ['-c', 'exec sfdisk --quiet --no-reread --no-tell-kernel "$1" < "$2"', 'sh', out, tableFile])

  const esp = join(workDir, 'esp.fat')
  await run('mkfs.vfat', ['-C', '-F', '32', '-s', '1', '-n', labels.esp, esp, String(espMiB * 1024)])
  await run('mmd', ['-i', esp, '::/EFI', '::/EFI/BOOT', '::/EFI/debian'])
  await run('mcopy', ['-i', esp, grubFile, '::/EFI/BOOT/BOOTAA64.EFI'])
  const config = join(workDir, 'grub.cfg')
  await writeFile(config, espConfig)
  await run('mcopy', ['-i', esp, config, '::/EFI/debian/grub.cfg'])
  await run('dd', [`if=${esp}`, `of=${out}`, 'bs=1M', `seek=${espStart}`, 'conv=notrunc,sparse', 'status=none'])

  await makeExt4({ file: out, offset: rootStart * MiB, size: rootMiB * MiB, from: rootDir, label: labels.root })
}

/** Makes a Pi card's root file system one of a cloud image: its own kernel, and its own idea of the disk. */
async function toCloudRoot(rootDir: string, parts: string, workDir: string): Promise<void> {
  const kernel = join(parts, 'kernel')
  const version = await kernelVersion(kernel)
  const boot = join(rootDir, 'boot')
  await mkdir(join(boot, 'grub'), { recursive: true })
  await mkdir(join(boot, 'efi'), { recursive: true })
  await copyFile(join(kernel, `boot/vmlinuz-${version}`), join(boot, `vmlinuz-${version}`))
  const busybox = join(kernel, 'bin/busybox')
  await writeInitramfs({ kernelRoot: kernel, busybox, out: join(boot, `initrd.img-${version}`), workDir })
  await writeFile(join(boot, 'grub/grub.cfg'), rootConfig(version))
  await writeFile(join(rootDir, 'etc/hostname'), 'cloud\n')
  await writeFile(
    join(rootDir, 'etc/fstab'),
    `LABEL=${labels.root} / ext4 defaults 0 1\nLABEL=${labels.esp} /boot/efi vfat umask=0077,nofail 0 1\n`
  )
}

async function emptyFile(path: string): Promise<string> {
  await writeFile(path, '')
  return path
}
