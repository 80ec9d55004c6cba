import { join } from 'node:path'
import { tool } from '../host/exec'
import { Ext4 } from './ext4'

export interface Ext4Request {
  readonly file: string
  /** Byte offset in `file`. */
  readonly offset?: number
  /** Bytes. */
  readonly size: number
  readonly label: string
  /** Folder to fill it with. */
  readonly from?: string
  /** Who owns everything in it; by default the owners on the host. */
  readonly owner?: { readonly uid: number; readonly gid: number }
  /** Default true. A volume that lives for one run needs none. */
  readonly journal?: boolean
  readonly inodes?: number
  /** Runs mke2fs, where it has to see `from` with other eyes. */
  readonly mke2fs?: (args: readonly string[]) => Promise<unknown>
}

/**
 * Features named one by one, so that any mke2fs makes what any guest kernel can mount: newer defaults (orphan_file)
 * are refused by bullseye's kernel.
 */
const features =
  'ext_attr,resize_inode,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize'

/** Makes an ext4 file system in a file (sparse), filled from a folder. */
export async function makeExt4(request: Ext4Request): Promise<void> {
  const { file, offset = 0, size, label, from, owner, journal = true, inodes } = request
  const mke2fs = request.mke2fs ?? (args => tool('mke2fs', args))
  await mke2fs([
    ...['-q', '-F', '-t', 'ext4', '-L', label, '-m', '1', '-b', '4096', '-I', '256'],
    ...['-O', `none,${features}${journal ? ',has_journal' : ''}`],
    ...['-E', `offset=${offset},root_owner=${owner?.uid ?? 0}:${owner?.gid ?? 0},lazy_itable_init=1,nodiscard`],
    ...(inodes === undefined ? [] : ['-N', String(inodes)]),
    ...(from === undefined ? [] : ['-d', from]),
    file,
    `${Math.floor(size / 1024)}k`
  ])
  const volume = new Ext4(file, offset)
  const workDir = join(file, '..')
  // While no inode has been given back, so that the used ones are the first ones.
  if (owner !== undefined) await volume.own(owner.uid, owner.gid, workDir)
  await volume.apply([{ kind: 'remove-folder', path: '/lost+found' }], workDir)
}
