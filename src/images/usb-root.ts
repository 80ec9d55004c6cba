import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { BootFiles } from './boot-files'
import type { Ext4 } from './ext4'

/** Drivers between a USB port and a root file system on it: the controller's (mainline's or Raspberry Pi's), and storage. */
const controllers = ['dwc2', 'dwc_otg']
const storage = ['usb-storage', 'sd_mod']

/** Where the drivers that a kernel has when it looks for its root may be. */
export interface DriverPlaces {
  /** `modules.builtin` of the kernel's release. */
  readonly builtin: string
  /** Its initramfs, as text; empty without one. A packed one tells nothing. */
  readonly initramfs: string
}

/** Whether it is certain that a kernel reaches a root file system on USB. */
export function reachesUsb({ builtin, initramfs }: DriverPlaces): boolean {
  const has = (name: string): boolean =>
    [builtin, initramfs].some(text => text.includes(`/${name}.ko`) || text.includes(`/${name.replaceAll('-', '_')}.ko`))
  return controllers.some(has) && storage.every(has)
}

/** Names of the kernels on a boot partition that are certain to reach a root file system on USB. */
export async function usbKernels(boot: BootFiles, folder: string, root: Ext4): Promise<readonly string[]> {
  const able: string[] = []
  for (const [kernel, release] of Object.entries(boot.kernelReleases)) {
    const builtin = (await root.readText(`/lib/modules/${release}/modules.builtin`)) ?? ''
    const file = join(folder, kernel.replace(/^kernel(.*)\.img$/, 'initramfs$1'))
    const initramfs = existsSync(file) ? await readFile(file, 'latin1') : ''
    if (reachesUsb({ builtin, initramfs })) able.push(kernel)
  }
  return able
}

/** Whether a file system table names no SD card by its device, which there is not if the disk is on USB. */
export function namesNoCard(fstab = ''): boolean {
  return !fstab.split('\n').some(line => /^\s*\/dev\/mmcblk/.test(line))
}
