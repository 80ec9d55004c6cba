import { copyFile, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { assembleImage } from '../../../src/images/mini/assemble'
import { bootModules, kernelVersion, writeInitramfs } from '../../../src/images/mini/initramfs'
import { initramfsInit } from '../../../src/images/mini/scripts'
import { contentHash, kitCache, madeOnce } from '../once'
import { run } from '../run'
import { repository } from '../runner'
import { lookAlikeBase } from './base'
import { initramfsResize } from './scripts'
import { rootMiB, styles, type Style, type StyleName } from './styles'

export { styles, type StyleName } from './styles'

/** Folders of modules for devices that no emulated board has; they would be most of the image. */
const withoutModules = [
  ...['sound', 'drivers/gpu', 'drivers/iio', 'drivers/infiniband', 'drivers/media', 'drivers/net/ethernet'],
  ...['drivers/net/wireless', 'drivers/staging']
]

const assembly = ['mini/assemble.ts', 'mini/initramfs.ts', 'mini/scripts.ts', 'ext4.ts', 'make-ext4.ts'].map(name =>
  join(repository, 'src/images', name)
)

/**
 * The path of a raw image that looks, and at its first boot acts, like Raspberry Pi OS of a release (arm64, lite), on
 * Debian 12 and its kernel. Like a fresh one it lets nobody in. Never write to it.
 */
export async function lookAlike(name: StyleName): Promise<string> {
  const base = await lookAlikeBase()
  const sources = await Promise.all(assembly.map(file => readFile(file, 'utf8')))
  const hash = contentHash([base, styles[name], initramfsResize, rootMiB, withoutModules, ...sources])
  return madeOnce(join(kitCache, `look-alike-${name}-${hash}.img`), async unfinished => {
    const workDir = `${unfinished}.work`
    await rm(workDir, { recursive: true, force: true })
    await mkdir(workDir, { recursive: true })
    try {
      await build(base, styles[name], unfinished, workDir)
    } finally {
      await rm(workDir, { recursive: true, force: true })
    }
  })
}

async function build(base: string, style: Style, out: string, workDir: string): Promise<void> {
  const kernel = join(base, 'kernel')
  const version = await kernelVersion(kernel)
  const [bootDir, rootDir] = [join(workDir, 'boot'), join(workDir, 'root')]
  for (const dir of [bootDir, rootDir]) await mkdir(dir)

  await copyFile(join(kernel, `boot/vmlinuz-${version}`), join(bootDir, 'kernel8.img'))
  const trees = join(kernel, `usr/lib/linux-image-${version}/broadcom`)
  for (const tree of await readdir(trees)) await copyFile(join(trees, tree), join(bootDir, tree))
  const initramfs = join(bootDir, 'initramfs8')
  await writeInitramfs({ kernelRoot: kernel, busybox: join(kernel, 'bin/busybox'), out: initramfs, workDir })
  if (style.resizes) await addResize(initramfs, workDir)
  const root = `root=PARTUUID=${style.diskId}-02 rootfstype=ext4 fsck.repair=yes rootwait`
  const cmdline = `console=serial0,115200 console=tty1 ${root} ${style.firstBoot}`
  const texts = { 'cmdline.txt': `${cmdline}\n`, 'config.txt': 'arm_64bit=1\nauto_initramfs=1\n', ...style.bootFiles }
  for (const [name, text] of Object.entries(texts)) await writeFile(join(bootDir, name), text)

  const numeric = ['--extract', '--preserve-permissions', '--numeric-owner']
  await run('tar', [...numeric, '--file', join(base, 'root.tar')], { cwd: rootDir })
  const modules = join(rootDir, 'usr/lib/modules')
  await mkdir(modules, { recursive: true })
  await run('cp', ['--archive', join(kernel, 'lib/modules', version), modules])
  for (const folder of withoutModules) await rm(join(modules, version, 'kernel', folder), { recursive: true })
  await run('depmod', ['-b', rootDir, version])
  await dress(rootDir, style)
  const { bootStartMiB, bootMiB, diskId } = style
  await assembleImage({ bootDir, rootDir, out, workDir, diskId, bootStartMiB, bootMiB, rootMiB })
}

/** Lays a style over the base. */
async function dress(rootDir: string, { files, enabled, bootMount, diskId, shell }: Style): Promise<void> {
  const inRoot = (path: string): string => join(rootDir, path)
  await mkdir(inRoot(bootMount), { recursive: true })
  const fstab =
    'proc /proc proc defaults 0 0\n' +
    `PARTUUID=${diskId}-01 ${bootMount} vfat defaults 0 2\nPARTUUID=${diskId}-02 / ext4 defaults,noatime 0 1\n`
  for (const [path, [content, mode]] of Object.entries({ ...files, '/etc/fstab': [fstab, 0o644] as const })) {
    await mkdir(dirname(inRoot(path)), { recursive: true })
    await writeFile(inRoot(path), content, { mode })
  }
  for (const [target, unit] of enabled) {
    const old = target.startsWith('rc')
    const folder = inRoot(old ? `/etc/${target}` : `/etc/systemd/system/${target}.wants`)
    await mkdir(folder, { recursive: true })
    await symlink(old ? `../init.d/${unit}` : `/lib/systemd/system/${unit}`, join(folder, old ? `S01${unit}` : unit))
  }
  const passwd = await readFile(inRoot('/etc/passwd'), 'utf8')
  await writeFile(inRoot('/etc/passwd'), passwd.replace(/^(pi:.*:)[^:]*$/m, `$1${shell}`))
  const shadow = await readFile(inRoot('/etc/shadow'), 'utf8')
  await writeFile(inRoot('/etc/shadow'), shadow.replace(/^pi:[^:]*:/m, 'pi:!:'))
}

/** Another archive behind the first: of two files of one name the kernel takes the later. */
async function addResize(initramfs: string, workDir: string): Promise<void> {
  const folder = join(workDir, 'resize')
  await mkdir(folder)
  const plain = initramfsInit(bootModules)
  const mount = plain.indexOf('\nmount -t "$fstype"')
  const handOver = plain.indexOf('\nmount --move /dev')
  if (mount < 0 || handOver < mount) throw new Error("the initramfs's /init is not what the look-alikes know")
  const { beforeMount, afterMount } = initramfsResize
  const init = `${plain.slice(0, mount)}\n${beforeMount}${plain.slice(mount, handOver)}\n${afterMount}${plain.slice(handOver)}`
  await writeFile(join(folder, 'init'), init, { mode: 0o755 })
  await run('bash', [
    '-c',
    'cd "$1" && echo init | cpio --quiet --create --format=newc --owner=+0:+0 >> "$2"',
    'add-resize',
    folder,
    initramfs
  ])
}
