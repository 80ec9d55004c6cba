import { open } from 'node:fs/promises'
import { tool } from '../host/exec'
import { HostFailure } from '../report/errors'

export interface Partition {
  /** Counted from 1. */
  readonly number: number
  /** Bytes. */
  readonly offset: number
  /** Bytes. */
  readonly size: number
  /** MBR type in hex, or GPT type GUID. */
  readonly type: string
  /** What the kernel calls `PARTUUID`. */
  readonly partuuid: string
}

export interface DiskLayout {
  readonly boot: Partition
  readonly root: Partition
}

interface SfdiskTable {
  readonly label: string
  readonly id: string
  /** Last sector that partitions of a GPT may use. */
  readonly lastlba?: number
  readonly sectorsize?: number
  readonly partitions?: readonly {
    readonly node: string
    readonly start: number
    readonly size: number
    readonly type: string
    readonly uuid?: string
  }[]
}

/** FAT16 and FAT32 in an MBR; EFI system and "basic data" in a GPT. */
const fatTypes = /^(4|6|b|c|e|ef|C12A7328-F81F-11D2-BA4B-00A0C93EC93B|EBD0A0A2-B9E5-4433-87C0-68B6B72699C7)$/i
/** A /boot of its own ("XBOOTLDR", Discoverable Partitions Specification), ext4 in Ubuntu's cloud images. */
const bootTypes = /^BC13C2FF-59E6-4262-A352-B275FD6F7172$/i
/** ext4's magic number 0xEF53 lies at byte 56 of the superblock, which starts at byte 1024. */
const ext4Magic = { offset: 1080, value: 0xef53 }

/** The partitions of what `sfdisk --json` printed, MBR or GPT. */
export function parsePartitions(json: string): readonly Partition[] {
  const { partitiontable: table } = JSON.parse(json) as { partitiontable: SfdiskTable }
  const sector = table.sectorsize ?? 512
  // sfdisk names a partition after its disk: disk.img2, or disk7p2 where the name ends in a digit.
  const numberOf = (node: string): number => Number(/\d+$/.exec(node)?.[0])
  return (table.partitions ?? []).map(({ node, start, size, type, uuid }) => ({
    number: numberOf(node),
    offset: start * sector,
    size: size * sector,
    type,
    // An MBR has one signature; the kernel adds the partition's number to it.
    partuuid: (
      uuid ?? `${table.id.replace(/^0x/, '').padStart(8, '0')}-${numberOf(node).toString(16).padStart(2, '0')}`
    ).toLowerCase()
  }))
}

/** Bytes of a disk that partitions and table take, by what `sfdisk --json` printed. */
export function usedSize(json: string): number {
  const { partitiontable: table } = JSON.parse(json) as { partitiontable: SfdiskTable }
  // A GPT has a backup of 33 sectors behind what partitions may use.
  const backup = table.lastlba === undefined ? 0 : (table.lastlba + 34) * (table.sectorsize ?? 512)
  return Math.max(backup, ...parsePartitions(json).map(({ offset, size }) => offset + size))
}

/**
 * Finds the boot (FAT) and root (ext4) partitions of a raw disk image.
 * @throws HostFailure that says what is missing
 */
export async function inspectDisk(image: string): Promise<DiskLayout> {
  const partitions = parsePartitions(
    await tool('sfdisk', ['--json', image]).catch((error: unknown) => {
      throw new HostFailure(
        {
          symptom: 'the image has no partition table that can be read',
          cause: 'it is damaged, or holds a bare file system'
        },
        { cause: error }
      )
    })
  )
  const found = partitions.map(({ number, type }) => `${number} (type ${type})`).join(', ') || 'none'
  const boot = partitions.find(({ type }) => fatTypes.test(type))
  if (boot === undefined) {
    throw new HostFailure({
      symptom: `the image has no FAT boot partition (partitions: ${found})`,
      cause: 'it is an image neither for a Raspberry Pi nor for UEFI'
    })
  }
  for (const partition of partitions) {
    if (partition === boot || bootTypes.test(partition.type)) continue
    if ((await readUInt16(image, partition.offset + ext4Magic.offset)) === ext4Magic.value)
      return { boot, root: partition }
  }
  throw new HostFailure({
    symptom: `the image has no ext4 root partition (partitions: ${found})`,
    cause: 'its root file system is of another kind (btrfs, f2fs, squashfs, …), encrypted or damaged'
  })
}

async function readUInt16(path: string, position: number): Promise<number> {
  const file = await open(path, 'r')
  try {
    return (await file.read(Buffer.alloc(2), 0, 2, position)).buffer.readUInt16LE(0)
  } finally {
    await file.close()
  }
}
