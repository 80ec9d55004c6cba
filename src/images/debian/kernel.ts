import { existsSync } from 'node:fs'
import { copyFile, mkdir, readdir, symlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Architecture } from '../../boards'
import { tool } from '../../host/exec'
import { debianPorts } from './ports'
import { kernelVersion, writeInitramfs } from '../mini/initramfs'
import { fetchPackages } from '../../host/packages'

/** One of Debian's kernels, unpacked from its package. */
export interface DebianKernel {
  readonly port: Architecture
  /** Folder with the unpacked packages; `lib/modules` is below it in every release. */
  readonly folder: string
  readonly version: string
  readonly busybox: string
}

/** trixie has armel's packages, but no kernel for it any more. */
const kernelSuite = (port: Architecture, suite: string): string => (port === 'armel' ? 'bookworm' : suite)

/**
 * Fetches a kernel with its modules, and a static busybox for its initramfs. Nothing of it is run.
 * @param more packages that are wanted from the same release
 */
export async function fetchKernel(
  port: Architecture,
  suite: string,
  folder: string,
  more: readonly string[] = []
): Promise<DebianKernel> {
  const packages = [debianPorts[port].kernelPackage, 'busybox-static', ...more]
  await fetchPackages({ architecture: port, suite: kernelSuite(port, suite), packages, into: folder })
  // From trixie on packages have everything in /usr.
  for (const path of ['lib/modules', 'bin/busybox']) {
    if (existsSync(join(folder, path))) continue
    await mkdir(dirname(join(folder, path)), { recursive: true })
    await symlink(join('../usr', path), join(folder, path))
  }
  const version = await kernelVersion(folder)
  await tool('depmod', ['-b', folder, version])
  return { port, folder, version, busybox: join(folder, 'bin/busybox') }
}

/** Puts a kernel, its initramfs and the Pis' device trees on a boot partition, by the names that a Pi's firmware knows. */
export async function installBootFiles(kernel: DebianKernel, boot: string, workDir: string): Promise<void> {
  const { port, folder, version, busybox } = kernel
  const names = debianPorts[port]
  await copyFile(join(folder, `boot/vmlinuz-${version}`), join(boot, names.kernel))
  await writeInitramfs({ kernelRoot: folder, busybox, out: join(boot, names.initramfs), workDir })
  const trees = join(folder, `usr/lib/linux-image-${version}`)
  for (const subfolder of ['', 'broadcom']) {
    const from = join(trees, subfolder)
    if (!existsSync(from)) continue
    for (const name of (await readdir(from)).filter(entry => piTree.test(entry)))
      await copyFile(join(from, name), join(boot, name))
  }
}

/** Beside the Pis' trees there are those of every other Arm board. */
const piTree = /^bcm2\d\d\d-rpi-.*\.dtb$/
