import type { ToolName } from '../host/tools'
import { uefiFor } from '../images'
import { architectureOf, type ImageRef, type Inputs } from '../inputs'

type ToolInputs = Pick<Inputs, 'image' | 'saveImage'> &
  Partial<Pick<Inputs, 'mode' | 'password' | 'diskSize' | 'firmware' | 'disks' | 'overlays' | 'network'>>

/** Programs that a run of these inputs needs on the host, besides QEMU itself. */
export function toolsFor(inputs: ToolInputs): readonly ToolName[] {
  const { mode, image, saveImage, password, diskSize, firmware, disks = [], overlays = [], network } = inputs
  if (image.kind === 'none') {
    const bare: readonly (readonly [needed: boolean, tool: ToolName])[] = [
      [disks.length > 0, 'qemu-img'],
      [overlays.length > 0, 'fdtput']
    ]
    return bare.filter(([needed]) => needed).map(([, name]) => name)
  }
  const all: readonly ToolName[] = [
    'qemu-img',
    'qemu-io',
    'sfdisk',
    'mcopy',
    'mke2fs',
    'debugfs',
    'e2fsck',
    'ssh-keygen',
    'fdtput'
  ]
  const always: readonly ToolName[] =
    mode === 'user' ? [...all.filter(name => !ofMachines.includes(name)), 'perl'] : all
  const build: readonly ToolName[] =
    image.kind === 'mini' || image.kind === 'debian'
      ? ['mmdebstrap', 'mkfs.vfat', 'cpio', 'depmod']
      : unpackersFor(image)
  const save: readonly ToolName[] = saveImage?.format === 'xz' ? ['xz'] : saveImage?.format === 'zst' ? ['zstd'] : []
  const wishes: readonly ToolName[] = [
    ...(password === undefined ? [] : (['openssl'] as const)),
    ...(network === 'tap' ? (['ip', 'dnsmasq'] as const) : []),
    ...(diskSize === undefined ? [] : (['resize2fs'] as const)),
    // An image whose architecture its name does not tell may turn out to need another.
    ...(firmware === undefined ? [] : [uefiFor(architectureOf(image) ?? 'arm64').tool])
  ]
  return [...new Set([...always, ...build, ...save, ...wishes])]
}

/** What only a machine that boots needs. */
const ofMachines: readonly ToolName[] = ['qemu-io', 'ssh-keygen', 'fdtput']

const unpackers: readonly (readonly [ending: RegExp, tool: ToolName])[] = [
  [/\.xz$/i, 'xz'],
  [/\.gz$/i, 'gzip'],
  [/\.zst$/i, 'zstd'],
  [/\.zip$/i, 'bsdtar']
]

/** The name's ending decides which unpacker has to be there; without a telling ending, all of them. */
export function unpackersFor(image: ImageRef): readonly ToolName[] {
  const path = image.kind === 'url' ? new URL(image.url).pathname : image.kind === 'file' ? image.path : ''
  const known = unpackers.filter(([ending]) => ending.test(path)).map(([, tool]) => tool)
  if (known.length > 0 || /\.(img|raw|qcow2)$/i.test(path)) return known
  return unpackers.map(([, tool]) => tool)
}
