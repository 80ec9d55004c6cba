import { open } from 'node:fs/promises'
import { constants, gunzipSync } from 'node:zlib'
import type { Architecture, Board } from '../boards'

/** What the head of a kernel file tells. */
export interface KernelFile {
  readonly bits: 32 | 64 | undefined
  /** Whether it is Linux, which needs a device tree; other programs may do without. */
  readonly linux: boolean
}

/**
 * Reads what a kernel file says of itself. Sources of the numbers: Linux, Documentation/arch/arm64/booting.rst ("ARM\x64"
 * at byte 56) and arch/arm/boot/compressed/head.S (0x016f2818 at byte 0x24); EFI zboot is "MZ" with "zimg" at byte 4;
 * ELF's class (1: 32 bits, 2: 64 bits) is byte 4.
 */
export function kernelFacts(head: Buffer): KernelFile {
  const at = (offset: number, text: string): boolean => head.toString('latin1', offset, offset + text.length) === text
  if (at(0, '\x1f\x8b')) return kernelFacts(unpackedHead(head))
  if (at(56, 'ARMd')) return { bits: 64, linux: true }
  if (at(0, 'MZ') && at(4, 'zimg')) return { bits: 64, linux: true }
  if (head.length >= 0x28 && head.readUInt32LE(0x24) === 0x016f2818) return { bits: 32, linux: true }
  if (at(0, '\x7fELF')) return { bits: head[4] === 1 ? 32 : 64, linux: false }
  return { bits: undefined, linux: false }
}

/** The beginning of what a cut-off gzip stream holds; empty if it holds nothing. */
function unpackedHead(head: Buffer): Buffer {
  try {
    return gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH })
  } catch {
    return Buffer.alloc(0)
  }
}

/** {@link kernelFacts} of a file. */
export async function inspectKernel(file: string): Promise<KernelFile> {
  const handle = await open(file, 'r')
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(65_536), 0, 65_536, 0)
    return kernelFacts(buffer.subarray(0, bytesRead))
  } finally {
    await handle.close()
  }
}

/**
 * As what a board runs a kernel; without a word from the file, as its first one. Undefined if it starts none of that
 * kind.
 */
export function architectureFor(board: Board, { bits }: KernelFile): Architecture | undefined {
  const able = Object.entries(board.architectures) as [Architecture, { readonly kernels: readonly string[] }][]
  // A 64-bit Pi runs 32-bit systems on a 64-bit kernel: there it is the kernel that counts.
  return able.find(([, { kernels }]) => bits === undefined || kernels.includes('kernel8.img') === (bits === 64))?.[0]
}

/** What is wrong with a kernel on a board, as sentences for the reader. */
export function kernelFaults(
  board: Board,
  file: KernelFile,
  { dtb }: { readonly dtb: string | undefined },
  others: readonly Board[]
): readonly string[] {
  if (architectureFor(board, file) === undefined) {
    const able = others.filter(other => architectureFor(other, file) !== undefined).map(({ name }) => name)
    return [
      `input \`kernel\` is a ${file.bits ?? '?'}-bit one, which board \`${board.name}\` does not start; boards that do: ${able.join(', ')}`
    ]
  }
  return file.linux && board.needsDeviceTree && dtb === undefined
    ? [
        `board \`${board.name}\` needs a device tree for Linux; give \`dtb\` (${board.deviceTrees[0] ?? 'its .dtb'}, say)`
      ]
    : []
}
