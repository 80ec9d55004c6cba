import { rm, stat } from 'node:fs/promises'
import { needs } from './needs'
import { exists, madeOnce } from './once'
import { run } from './run'

/** Forms in which images are published. */
export type ArchiveKind = 'xz' | 'zst' | 'gz' | 'zip' | 'qcow2'

/** Shell commands that write `$1` to `$2`, all at their fastest. */
const commands: Readonly<Record<ArchiveKind, { readonly packages: readonly string[]; readonly command: string }>> = {
  xz: { packages: ['xz-utils'], command: 'xz -0 -T0 --stdout -- "$1" > "$2"' },
  zst: { packages: ['zstd'], command: 'zstd -1 -T0 --quiet --stdout -- "$1" > "$2"' },
  gz: { packages: ['gzip'], command: 'gzip -1 --stdout -- "$1" > "$2"' },
  // Given a name with a suffix, zip adds none.
  zip: { packages: ['zip'], command: 'zip -1 --quiet --junk-paths "$2" "$1"' },
  qcow2: { packages: ['qemu-utils'], command: 'qemu-img convert -O qcow2 -c -W -o compression_type=zstd "$1" "$2"' }
}

/**
 * The image in another form, made beside it (`x.img.xz`, `x.img.qcow2`, …) unless it is there already and newer.
 * Returns its path.
 */
export async function toCompressed(image: string, kind: ArchiveKind): Promise<string> {
  const { packages, command } = commands[kind]
  const path = `${image}.${kind}`
  if ((await exists(path)) && (await stat(path)).mtimeMs < (await stat(image)).mtimeMs) await rm(path)
  return madeOnce(path, async unfinished => {
    await needs(packages)
    await run('sh', ['-euc', command, 'to-compressed', image, unfinished])
  })
}
