import { copyFile, mkdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { needs } from './needs'
import { contentHash, kitCache, madeOnce } from './once'
import { run } from './run'

/** Debian's source package; its own kernels for this machine ended with `linux-image-versatile`. */
const source = 'linux-source-6.1'

/** What the machine, the emulated disk and network, and a small system need; the default has much that they do not. */
const wanted =
  'ARCH_MULTI_V6 ARCH_VERSATILE AEABI SERIAL_AMBA_PL011 SERIAL_AMBA_PL011_CONSOLE PCI PCI_VERSATILE VIRTIO_MENU VIRTIO_PCI VIRTIO_PCI_LEGACY VIRTIO_BLK EXT4_FS NETDEVICES SMC91X DEVTMPFS DEVTMPFS_MOUNT TMPFS CGROUPS FHANDLE BLK_DEV_INITRD PACKET'
// DEBUG_LL would send the first messages, and with them the kernel, to a debugger that is not there.
const unwanted = 'ARCH_MULTI_V5 ARCH_MULTI_V7 DEBUG_LL DRM SOUND FB USB_SUPPORT MTD MODULES NFS_FS NFSD JFFS2_FS'

/**
 * A folder with `zImage` and `versatile-pb.dtb`: Linux for Versatile/PB with an ARM1176, as the classic recipes have it
 * (the mainline configuration knows it with an ARM926 only). Made once per machine, from source, in some minutes.
 */
export async function versatileKernel(): Promise<string> {
  return madeOnce(join(kitCache, `versatile-${source}-${contentHash([wanted, unwanted])}`), async unfinished => {
    await needs([source, 'gcc-arm-linux-gnueabi', 'gcc', 'libc6-dev', 'make', 'bison', 'flex', 'bc', 'xz-utils'])
    const tree = `${unfinished}.tree`
    await rm(tree, { recursive: true, force: true })
    await mkdir(tree, { recursive: true })
    const at = { cwd: tree, env: { ARCH: 'arm', CROSS_COMPILE: 'arm-linux-gnueabi-' } }
    await run('tar', ['-xf', `/usr/src/${source}.tar.xz`, '--strip-components=1'], at)
    const edits = ['s/depends on ARCH_MULTI_V5$/depends on ARCH_MULTI_V6/', 's/select CPU_ARM926T/select CPU_V6/']
    await run('sed', ['-i', ...edits.flatMap(edit => ['-e', edit]), 'arch/arm/mach-versatile/Kconfig'], at)
    await run('make', ['-s', 'versatile_defconfig'], at)
    const changes = [...flags('-e', wanted), ...flags('-d', unwanted)]
    await run('scripts/config', changes, at)
    await run('make', ['-s', 'olddefconfig'], at)
    const config = (await readFile(join(tree, '.config'), 'utf8')).split('\n')
    const missing = wanted.split(' ').filter(name => !config.includes(`CONFIG_${name}=y`))
    if (missing.length > 0) throw new Error(`the configuration lacks ${missing.join(', ')}`)
    await run('make', ['-s', '-j2', 'zImage', 'versatile-pb.dtb'], at)
    await mkdir(unfinished)
    await copyFile(join(tree, 'arch/arm/boot/zImage'), join(unfinished, 'zImage'))
    await copyFile(join(tree, 'arch/arm/boot/dts/versatile-pb.dtb'), join(unfinished, 'versatile-pb.dtb'))
    await rm(tree, { recursive: true })
  })
}

const flags = (flag: string, names: string): readonly string[] => names.split(' ').flatMap(name => [flag, name])
