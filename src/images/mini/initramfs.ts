import { chmod, copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { tool } from '../../host/exec'
import { HostFailure } from '../../report/errors'
import { initramfsInit } from './scripts'

/**
 * Kernel modules that Debian's kernels need before they reach an SD card, a USB stick or a virtio disk with ext4,
 * and the emulated network. `phy-generic` must come before `dwc2`, which otherwise waits 10 s for it.
 */
export const bootModules = {
  raspi: [
    'phy-generic',
    'bcm2835',
    'sdhci-iproc',
    'dwc2',
    'usbnet',
    'cdc_ether',
    'rndis_host',
    'usb-storage',
    'sd_mod'
  ],
  virt: ['virtio_pci', 'virtio_mmio', 'virtio_blk', 'virtio_net', 'virtio-rng'],
  // ext4 asks for crc32c by algorithm name, so no dependency leads there.
  all: ['crc32c_generic', 'ext4']
} as const

export interface InitramfsRequest {
  /** Folder that holds `lib/modules/<version>` with a `modules.dep` (see {@link kernelVersion}). */
  readonly kernelRoot: string
  /** A static busybox of the guest's architecture. */
  readonly busybox: string
  /** The uncompressed cpio archive to write: QEMU loads it at once, and the guest spends no time unpacking. */
  readonly out: string
  /** An empty or absent folder for scratch files. */
  readonly workDir: string
}

/** The one kernel version under `root/lib/modules`. */
export async function kernelVersion(root: string): Promise<string> {
  const versions = await readdir(join(root, 'lib/modules'))
  const [version] = versions
  if (version === undefined || versions.length > 1) {
    throw new HostFailure({
      symptom: `${root}/lib/modules should hold one kernel, found: ${versions.join(', ') || 'none'}`
    })
  }
  return version
}

/**
 * Writes a small initramfs that finds the root file system named by `root=` (device, PARTUUID, UUID or LABEL), mounts
 * it and starts the system's own init. One archive serves the raspi boards and `virt`.
 */
export async function writeInitramfs({ kernelRoot, busybox, out, workDir }: InitramfsRequest): Promise<void> {
  const version = await kernelVersion(kernelRoot)
  const tree = join(workDir, 'initramfs')
  for (const dir of ['bin', 'dev', 'proc', 'sys', 'mnt', 'etc']) await mkdir(join(tree, dir), { recursive: true })
  await copyFile(busybox, join(tree, 'bin/busybox'))
  await chmod(join(tree, 'bin/busybox'), 0o755)
  await writeFile(join(tree, 'init'), initramfsInit(bootModules), { mode: 0o755 })
  await copyModules(kernelRoot, tree, version, Object.values(bootModules).flat())
  const names = await tool('find', ['.', '-print0'], { cwd: tree })
  await tool('cpio', ['--quiet', '--null', '--create', '--format=newc', '--owner=+0:+0', `--file=${out}`], {
    cwd: tree,
    input: names
  })
  await rm(tree, { recursive: true })
}

/** Copies the named modules and all they depend on from `from` to `to`, and indexes them there. */
export async function copyModules(from: string, to: string, version: string, names: readonly string[]): Promise<void> {
  const folder = `lib/modules/${version}`
  const wanted = moduleClosure(await readFile(join(from, folder, 'modules.dep'), 'utf8'), names)
  for (const path of [...wanted, 'modules.order', 'modules.builtin', 'modules.builtin.modinfo']) {
    const target = join(to, folder, path)
    await mkdir(dirname(target), { recursive: true })
    await copyFile(join(from, folder, path), target)
    // The kernel takes them packed only where it was built to, and the guest is the slower one to unpack them.
    if (path.endsWith('.xz')) await tool('xz', ['--decompress', target])
  }
  await tool('depmod', ['-b', to, version])
}

/**
 * Paths (as in modules.dep) of the named modules and their dependencies. A name that the kernel does not have as a
 * module is left out: it is built in there, or that kernel serves a board without the device.
 */
export function moduleClosure(modulesDep: string, names: readonly string[]): readonly string[] {
  const key = (name: string): string => name.replaceAll('-', '_')
  const wanted = new Set(names.map(key))
  const paths = new Set<string>()
  for (const line of modulesDep.split('\n')) {
    const [path = '', dependencies = ''] = line.split(':')
    const name = key((path.split('/').pop() ?? '').replace(/\.ko(\.\w+)?$/, ''))
    if (!wanted.has(name)) continue
    for (const file of [path, ...dependencies.split(' ').filter(Boolean)]) paths.add(file)
  }
  return [...paths].sort()
}
