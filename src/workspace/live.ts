import { lstat } from 'node:fs/promises'
import { tryTool } from '../host/exec'
import type { QemuInstall } from '../qemu'
import { HostFailure } from '../report/errors'
import type { Log } from '../report/log'

/** QEMU's device for a shared folder. */
const device = 'virtio-9p-pci'

export interface LiveRequest {
  readonly install: QemuInstall
  readonly workspace: string
  /** Who runs the script in the guest. */
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number }
  /** Number of the user who runs QEMU; by default the one who runs this. */
  readonly own?: number
  readonly log: Log
}

/**
 * A QEMU that shares the workspace, and for which the files of the user who runs it belong to the guest's user: 9p hands
 * on user numbers as they are, so where they differ, QEMU runs in a user namespace that has the guest's.
 * @throws HostFailure for a QEMU without 9p
 */
export async function sharingQemu({
  install,
  workspace,
  user,
  own = process.getuid?.() ?? 0,
  log
}: LiveRequest): Promise<QemuInstall> {
  const { program, arguments: first, env } = install
  const { stdout } = await tryTool(program, [...first, '-device', 'help'], { env, input: '' })
  if (!stdout.includes(`"${device}"`)) {
    throw new HostFailure({
      symptom: `this QEMU (${install.version}) cannot share a folder: it was built without ${device}`,
      remedy: 'use `qemu: private`, or `sync: both`'
    })
  }
  if (own === user.uid) return install
  const map = ['--user', `--map-user=${user.uid}`, `--map-group=${user.gid}`]
  // In the namespace root is nobody special: files of others would be out of its reach.
  const foreign = own === 0 && (await lstat(workspace)).uid !== 0
  if (foreign || !(await works('unshare', [...map, 'true']))) {
    log.warn(
      `The workspace's files belong to other users in the guest, ${user.name} (${user.uid}) may not be able to write them${foreign ? '' : ' (this host allows no user namespaces)'}; use \`user: root\`, or \`sync: both\``
    )
    return install
  }
  return { ...install, program: 'unshare', arguments: [...map, '--', program, ...first] }
}

async function works(program: string, args: readonly string[]): Promise<boolean> {
  return tryTool(program, args, { input: '' }).then(
    ({ code }) => code === 0,
    () => false
  )
}
