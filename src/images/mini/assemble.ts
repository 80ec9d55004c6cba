import { readdir, rm, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { tool } from '../../host/exec'
import { makeExt4 } from '../make-ext4'

const MiB = 1024 * 1024

export interface AssembleRequest {
  /** Folder whose contents become the FAT32 boot partition. */
  readonly bootDir: string
  /** Folder whose contents become the ext4 root file system, owners and modes as they are on disk. */
  readonly rootDir: string
  /** Raw image to write (sparse). */
  readonly out: string
  /** Where the boot partition starts; 4 MiB unless told otherwise, as up to Raspberry Pi OS bullseye. */
  readonly bootStartMiB?: number
  readonly bootMiB: number
  readonly rootMiB: number
  /** Everything in the root file system belongs to root, whoever runs this. */
  readonly ownedByRoot?: boolean
  /** Runs mke2fs, where it has to see `rootDir` with other eyes. */
  readonly mke2fs?: (args: readonly string[]) => Promise<unknown>
  /** Folder for scratch files, on the same disk as `out`. */
  readonly workDir: string
  /** MBR disk signature, 8 hex digits; the partitions' PARTUUIDs are derived from it. */
  readonly diskId: string
}

/**
 * Writes a disk shaped like a Raspberry Pi's SD card: MBR, FAT32 boot partition, ext4 root behind it.
 * Needs no root, no mount and no loop device.
 */
export async function assembleImage(request: AssembleRequest): Promise<void> {
  const { out, workDir, bootStartMiB: bootStart = 4, bootMiB, rootMiB } = request
  const rootStart = bootStart + bootMiB
  await rm(out, { force: true })
  await tool('truncate', ['-s', `${rootStart + rootMiB}M`, out])
  const partitions = [
    'label: dos',
    `label-id: 0x${request.diskId}`,
    `start=${bootStart}MiB, size=${bootMiB}MiB, type=c, bootable`,
    `start=${rootStart}MiB, size=${rootMiB}MiB, type=83`
  ].join('\n')
  await tool('sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', out], { input: `${partitions}\n` })

  // mkfs.vfat --offset writes a damaged volume: make it apart and copy it in.
  const fat = join(workDir, 'boot.fat')
  await tool('mkfs.vfat', ['-C', '-F', '32', '-s', '1', '-n', 'BOOTFS', fat, String(bootMiB * 1024)])
  const files = (await readdir(request.bootDir)).map(name => join(request.bootDir, name))
  await tool('mcopy', ['-i', fat, '-s', '-Q', '-m', ...files, '::/'], { env: { MTOOLS_SKIP_CHECK: '1' } })
  await tool('dd', [`if=${fat}`, `of=${out}`, 'bs=1M', `seek=${bootStart}`, 'conv=notrunc,sparse', 'status=none'])
  await rm(fat)

  await makeExt4({
    file: out,
    offset: rootStart * MiB,
    size: rootMiB * MiB,
    from: request.rootDir,
    label: 'rootfs',
    ...(request.ownedByRoot === true && { owner: { uid: 0, gid: 0 } }),
    ...(request.mke2fs !== undefined && { mke2fs: request.mke2fs })
  })
  await truncate(out, (rootStart + rootMiB) * MiB)
}
