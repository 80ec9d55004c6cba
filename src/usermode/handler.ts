import type { ElfKind } from '../host/elf'

/** What names entries of ours, so that we never take another's for one. */
export const ownPrefix = 'pi-qemu-'

export interface HandlerRequest {
  readonly name: string
  readonly elf: ElfKind
  /** Absolute; opened when it is registered. */
  readonly interpreter: string
  /** Whether setuid programs get their owner's rights. */
  readonly setuid: boolean
  /** Whether the emulator can be told argv[0] apart from the program's path. */
  readonly keepsName?: boolean | undefined
}

/** Executables and shared objects of a platform, whatever their ABI: magic and mask of 20 bytes each. */
export function elfPattern({ bits, order, machine }: ElfKind): { readonly magic: Buffer; readonly mask: Buffer } {
  const magic = Buffer.from([
    0x7f,
    0x45,
    0x4c,
    0x46,
    bits / 32,
    order === 'little' ? 1 : 2,
    1,
    ...Array<number>(13).fill(0)
  ])
  const mask = Buffer.alloc(20, 0xff)
  // EI_OSABI says little: many systems leave it open.
  mask[7] = 0
  // e_type 2 (executable) and 3 (shared object, as position-independent programs are): the lowest bit is free.
  if (order === 'little') {
    magic.writeUInt16LE(2, 16)
    magic.writeUInt16LE(machine, 18)
    mask.writeUInt16LE(0xfffe, 16)
  } else {
    magic.writeUInt16BE(2, 16)
    magic.writeUInt16BE(machine, 18)
    mask.writeUInt16BE(0xfffe, 16)
  }
  return { magic, mask }
}

/**
 * The line that registers a handler (the kernel's admin-guide/binfmt-misc). F opens the emulator at once, so that it
 * works in any root; C gives a setuid program its owner's rights; P passes argv[0] on.
 */
export function handlerLine({ name, elf, interpreter, setuid, keepsName = false }: HandlerRequest): string {
  const { magic, mask } = elfPattern(elf)
  const hex = (bytes: Buffer): string => [...bytes].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join('')
  return `:${name}:M::${hex(magic)}:${hex(mask)}:${interpreter}:${keepsName ? 'P' : ''}${setuid ? 'FC' : 'F'}`
}

/** A handler as the kernel shows it. */
export interface Handler {
  readonly name: string
  readonly enabled: boolean
  readonly interpreter: string
  readonly flags: string
  /** What it recognises: a file name's ending, or bytes. */
  readonly matches: { readonly extension: string } | { readonly magic: string; readonly mask?: string }
}

/** Reads what the kernel says of an entry of binfmt_misc. */
export function readHandler(name: string, text: string): Handler {
  const field = (pattern: RegExp): string | undefined => pattern.exec(text)?.[1]
  const extension = field(/^extension \.(.*)$/m)
  const mask = field(/^mask ([0-9a-f]+)$/m)
  return {
    name,
    enabled: /^enabled$/m.test(text),
    interpreter: field(/^interpreter (.*)$/m) ?? '',
    flags: field(/^flags: (.*)$/m) ?? '',
    matches:
      extension === undefined
        ? { magic: field(/^magic ([0-9a-f]+)$/m) ?? '', ...(mask !== undefined && { mask }) }
        : { extension }
  }
}

/** Whether a handler takes programs of a kind. */
export function takes({ matches }: Handler, elf: ElfKind): boolean {
  if ('extension' in matches) return false
  const header = elfPattern(elf).magic
  const magic = Buffer.from(matches.magic, 'hex')
  const mask = matches.mask === undefined ? Buffer.alloc(magic.length, 0xff) : Buffer.from(matches.mask, 'hex')
  if (magic.length === 0 || magic.length > header.length) return false
  return magic.every((byte, at) => (byte & (mask[at] ?? 0xff)) === ((header[at] ?? 0) & (mask[at] ?? 0xff)))
}
