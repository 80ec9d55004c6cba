import type { Edit } from '../ext4'
import { placeholder, type SlotContent } from '../keys'

/** Where our own files lie in a guest. */
export const folder = '/etc/pi-qemu'

export interface Slot {
  readonly path: string
  readonly content: SlotContent
  /** Byte in the file at which it starts; by default the first. */
  readonly start?: number
}

export interface Provisioning {
  readonly edits: readonly Edit[]
  /** One sentence per change, for the log. */
  readonly notes: readonly string[]
  readonly slots: readonly Slot[]
  /** Kernel arguments that make the rest of the difference without touching the disk. */
  readonly kernelArguments: readonly string[]
  /** Files and links that were not there before: `save-image` takes them out again. */
  readonly created: readonly string[]
  /** Files of the image's own that now read otherwise: `save-image` puts back what nobody has changed since. */
  readonly replaced: readonly Replaced[]
}

export interface Replaced {
  readonly path: string
  readonly before: string
  readonly after: string
}

/** One subject's share of it. */
export type Part = Partial<Provisioning>

/** Gives a file of the image another text, until it is saved. */
export const replacing = (file: Replaced): Pick<Provisioning, 'edits' | 'replaced'> => ({
  edits: [{ kind: 'file', path: file.path, content: file.after, mode: 0o644 }],
  replaced: [file]
})

/** A file that holds the place of a secret of the run. */
export const slotFile = (path: string, content: SlotContent, mode: number): Edit => ({
  kind: 'file',
  path,
  content: placeholder(content),
  mode
})
