/** Fields of a 64-bit little-endian ELF file, see elf(5). */
const field = { machine: 18, entry: 24, segments: 32, segmentCount: 56 } as const
const segmentField = { type: 0, flags: 4, offset: 8, address: 16, fileSize: 32, memorySize: 40, length: 56 } as const
const loaded = 1
const executable = 1
/** Bytes; what the kernel maps is whole pages of the file, up to where the next part begins. */
const page = 0x1000

/** Changes with what is put into the file. */
export const presetVersion = 1

interface Start {
  readonly code: Buffer
  /** Where in it the jump to QEMU's own entry is. */
  readonly jump: number
  /** Writes that jump's target, which lies so far (bytes) from the jump itself. */
  readonly aim: (code: Buffer, distance: number) => void
}

const hex = (...words: readonly string[]): Buffer => Buffer.from(words.join(''), 'hex')

/**
 * By ELF machine, what goes in front of QEMU's own entry; as assembled from scripts/assembly/preset-*.s: it puts two
 * words behind argv[0], unless QEMU_CPU is set. What QEMU starts is started the same way, so that nothing of it shows in
 * an environment, where it would reach programs of other platforms, too.
 */
const starts: Readonly<Record<number, Start>> = {
  // x86-64
  62: {
    code: hex(
      '488b0c24488d7ccc10488b074885c0741d4883c708813851454d5575ec81',
      '78045f43505575e38078083d75ddeb2b488b4424084883ec104883c10248',
      '890c244889442408488d051300000048894424104883c0054889442418e9',
      '00000000'
    ),
    jump: 89,
    aim: (code, distance) => code.writeInt32LE(distance - 5, 90)
  },
  // AArch64: behind the jump stands the name that is looked for.
  183: {
    code: hex(
      ...['e10340f9', 'e3030091', '620c018b', '42400091', '86020058', '448440f8', '040100b4', '850040f9', 'bf0006eb'],
      ...['81ffff54', '85204039', 'bff40071', '21ffff54', '0a000014', 'e40740f9', 'ff4300d1', '21080091', 'e10300f9'],
      ...['e40700f9', 'e5000010', 'e50b00f9', 'a5140091', 'e50f00f9', '00000014', '51454d55', '5f435055']
    ),
    jump: 92,
    aim: (code, distance) => {
      code.writeUInt32LE(0x14000000 | ((distance / 4) & 0x3ffffff), 92)
    }
  }
}

/**
 * A static QEMU that shows a CPU of our choice to programs without being told to: in a container, and whatever a program
 * does to its environment. QEMU_CPU is still obeyed. Its code goes into the unused rest of the file's last executable page.
 * @returns undefined if this file has no room, or is of a machine that is not known here
 */
export function presetCpu(qemu: Buffer, cpu: string): Buffer | undefined {
  if (qemu.length < 64 || qemu.toString('latin1', 0, 6) !== '\x7fELF\x02\x01') return undefined
  const start = starts[qemu.readUInt16LE(field.machine)]
  const segments = segmentsOf(qemu)
  const text = segments.find(({ type, flags }) => type === loaded && (flags & executable) !== 0)
  if (start === undefined || text === undefined || text.fileSize !== text.memorySize) return undefined
  const begin = Math.ceil((text.offset + text.fileSize) / 16) * 16
  const end = Math.min(
    Math.ceil(begin / page) * page,
    ...segments.flatMap(({ offset, type }) =>
      type === loaded && offset >= text.offset + text.fileSize ? [offset] : []
    )
  )
  const addition = Buffer.concat([start.code, Buffer.from(`-cpu\0${cpu}\0`)])
  const room = qemu.subarray(begin, end)
  if (room.length < addition.length || room.some(byte => byte !== 0)) return undefined

  const address = text.address + (begin - text.offset)
  start.aim(addition, Number(qemu.readBigUInt64LE(field.entry)) - (address + start.jump))
  const changed = Buffer.from(qemu)
  addition.copy(changed, begin)
  changed.writeBigUInt64LE(BigInt(address), field.entry)
  const grown = BigInt(begin + addition.length - text.offset)
  for (const size of [segmentField.fileSize, segmentField.memorySize]) changed.writeBigUInt64LE(grown, text.at + size)
  return changed
}

interface Segment {
  /** Where it is described. */
  readonly at: number
  readonly type: number
  readonly flags: number
  readonly offset: number
  readonly address: number
  readonly fileSize: number
  readonly memorySize: number
}

function segmentsOf(file: Buffer): readonly Segment[] {
  const table = Number(file.readBigUInt64LE(field.segments))
  return Array.from({ length: file.readUInt16LE(field.segmentCount) }, (_, index) => {
    const at = table + index * segmentField.length
    const wide = (offset: number): number => Number(file.readBigUInt64LE(at + offset))
    return {
      ...{ at, type: file.readUInt32LE(at), flags: file.readUInt32LE(at + segmentField.flags) },
      ...{ offset: wide(segmentField.offset), address: wide(segmentField.address) },
      ...{ fileSize: wide(segmentField.fileSize), memorySize: wide(segmentField.memorySize) }
    }
  })
}
