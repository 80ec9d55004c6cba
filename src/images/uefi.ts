import { mkdir } from 'node:fs/promises'
import type { Architecture } from '../boards'
import { tryTool } from '../host/exec'
import type { ToolName } from '../host/tools'
import type { Firmware } from '../qemu'
import { BadInput, HostFailure } from '../report/errors'
import type { BootFiles } from './boot-files'
import type { Edit } from './ext4'

interface UefiRow extends Firmware {
  readonly tool: ToolName
  /** What the firmware starts from a disk it knows nothing about (UEFI specification, "Removable Media Boot Behavior"). */
  readonly loader: string
}

/** UEFI firmware (edk2, which Debian and Ubuntu package as AAVMF) by architecture. Pairs fill a flash of 64 MiB each. */
const uefiRows: Readonly<Partial<Record<Architecture, UefiRow>>> = {
  arm64: {
    tool: 'uefi-arm64',
    loader: 'BOOTAA64.EFI',
    code: '/usr/share/AAVMF/AAVMF_CODE.fd',
    variables: '/usr/share/AAVMF/AAVMF_VARS.fd'
  },
  armhf: {
    tool: 'uefi-armhf',
    loader: 'BOOTARM.EFI',
    code: '/usr/share/AAVMF/AAVMF32_CODE.fd',
    variables: '/usr/share/AAVMF/AAVMF32_VARS.fd'
  }
}

/**
 * Firmware for systems of an architecture.
 * @throws BadInput if there is none
 */
export function uefiFor(architecture: Architecture): UefiRow {
  const row = uefiRows[architecture]
  if (row !== undefined) return row
  throw new BadInput([
    `input \`firmware\` is “uefi”, which there is for ${Object.keys(uefiRows).join(' and ')} only; the image is ${architecture}`
  ])
}

/** Nothing is taken from the image: its own boot loader finds its own kernel. The folder is part of a prepared image. */
export async function noBootFiles(into: string): Promise<BootFiles> {
  await mkdir(into, { recursive: true })
  return { names: [], overlays: [], kernelReleases: {} }
}

/**
 * Makes sure that a UEFI machine that knows nothing of the disk would start it.
 * @param offset byte where the EFI system partition begins
 * @throws HostFailure if it would not
 */
export async function checkBootLoader(image: string, offset: number, architecture: Architecture): Promise<void> {
  const { loader } = uefiFor(architecture)
  const place = `EFI/BOOT/${loader}`
  const args = ['-b', '-i', `${image}@@${offset}`, `::/${place}`]
  if ((await tryTool('mdir', args, { env: { MTOOLS_SKIP_CHECK: '1' } })).code === 0) return
  throw new HostFailure({
    symptom: `the image's FAT partition has no ${place}`,
    cause: 'it is no image for UEFI, or its boot loader is only where the firmware of one machine was told to look',
    remedy:
      "leave `firmware` out for a Raspberry Pi's image; else install the boot loader with `grub-install --removable`"
  })
}

/**
 * Where units are masked that a kernel argument cannot mask: this folder comes first in systemd's search path
 * (systemd.unit(5)), so that nothing the image has in /etc/systemd/system is replaced.
 */
const maskFolder = '/etc/systemd/system.control'

/** The changes on disk that mask units. */
export function masksOnDisk(units: readonly string[]): readonly Edit[] {
  return [
    { kind: 'folder', path: maskFolder, mode: 0o755 },
    ...units.map(unit => ({ kind: 'symlink', path: `${maskFolder}/${unit}`, target: '/dev/null' }) as const)
  ]
}
