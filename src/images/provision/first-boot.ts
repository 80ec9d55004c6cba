import type { Edit } from '../ext4'
import type { RootFacts } from '../families'
import type { Release } from '../releases'
import { masksOnDisk } from '../uefi'
import { replacing, type Part } from './part'
import { firstBootUnits, present } from './units'

/** Whether cloud-init is installed. */
const hasCloudInit = (facts: RootFacts): boolean =>
  [...facts.units].some(unit => /^cloud-(init|config|final)\b.*\.service$/.test(unit))

/** Leaves out the image's own first boot, unless it is wanted. */
export function firstBootPart(facts: RootFacts, release: Release, firstBoot: 'skip' | 'run'): Part {
  const cloudInit = hasCloudInit(facts)
  if (firstBoot === 'run') {
    return {
      edits: cloudInit && facts.paths.has('/etc/cloud/cloud.cfg.d') ? [keepUsers] : [],
      notes: [`First boot: the image's own (${release.title}: ${release.firstBoot})`]
    }
  }
  const masked = present(Object.keys(firstBootUnits), facts)
  return {
    kernelArguments: [...(cloudInit ? ['cloud-init=disabled'] : []), ...masked.map(unit => `systemd.mask=${unit}`)],
    notes: masked.length === 0 ? [] : [`Masked for this boot (kernel command line): ${masked.join(', ')}`]
  }
}

/** The same on disk, for an image whose own boot loader decides on the kernel's arguments. */
export function firstBootOnDisk(facts: RootFacts): Part {
  const masked = present(Object.keys(firstBootUnits), facts)
  return masked.length === 0 ? {} : { edits: masksOnDisk(masked), notes: [`Masked on disk: ${masked.join(', ')}`] }
}

/**
 * cloud-init would lock the default user's password, and set the host name to its own idea. What user-data says about
 * either still counts.
 */
const keepUsers: Edit = {
  kind: 'file',
  path: '/etc/cloud/cloud.cfg.d/zz-pi-qemu.cfg',
  content:
    '# Written by pi-qemu: accounts and host name stay as the run has them.\nusers: []\npreserve_hostname: true\n',
  mode: 0o644
}

const preload = '/etc/ld.so.preload'

/**
 * 32-bit Raspberry Pi OS loads a library into every program that copies memory with instructions of the real CPU;
 * where the emulated one is another, or the program is a 64-bit one, each complains.
 */
export function noPreload({ texts }: RootFacts): Part {
  const before = texts?.[preload] ?? ''
  if (!/libarmmem/.test(before)) return {}
  return {
    ...replacing({ path: preload, before, after: '' }),
    notes: ['/etc/ld.so.preload: emptied (libarmmem is made for the real CPU)']
  }
}
