import type { Architecture } from '../../boards'

/** What Debian calls things, by architecture. */
export interface DebianPort {
  /** Kernel for boards of that architecture, and what a boot partition calls it and its initramfs. */
  readonly kernelPackage: string
  readonly kernel: string
  readonly initramfs: string
  /** Folder of its libraries under /usr/lib. */
  readonly triplet: string
  /** Its dynamic loader, in /lib. */
  readonly loader: string
}

export const debianPorts: Readonly<Record<Architecture, DebianPort>> = {
  arm64: {
    kernelPackage: 'linux-image-arm64',
    kernel: 'kernel8.img',
    initramfs: 'initramfs8',
    triplet: 'aarch64-linux-gnu',
    loader: 'ld-linux-aarch64.so.1'
  },
  armhf: {
    kernelPackage: 'linux-image-armmp',
    kernel: 'kernel7.img',
    initramfs: 'initramfs7',
    triplet: 'arm-linux-gnueabihf',
    loader: 'ld-linux-armhf.so.3'
  },
  armel: {
    kernelPackage: 'linux-image-rpi',
    kernel: 'kernel.img',
    initramfs: 'initramfs',
    triplet: 'arm-linux-gnueabi',
    loader: 'ld-linux.so.3'
  }
}

/**
 * Whose kernels an image carries, its own first. 32-bit ones have the 64-bit kernel too, like Raspberry Pi OS: QEMU's
 * Pi 3 starts no other.
 */
export const kernelPorts: Readonly<Record<Architecture, readonly Architecture[]>> = {
  arm64: ['arm64'],
  armhf: ['armhf', 'arm64'],
  armel: ['armel']
}
