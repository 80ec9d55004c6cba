import { stat } from 'node:fs/promises'
import { tryTool } from '../../host/exec'
import { isRoot } from '../../host/tools'
import type { Log } from '../../report/log'

/** Arguments for find(1): gives what root made or changed in a folder since a time (ms since 1970) to a user. */
export function giveBackArguments(
  folder: string,
  since: number,
  owner: { readonly uid: number; readonly gid: number }
): readonly string[] {
  return [
    ...[folder, '-xdev', '-uid', '0', '-newerct', `@${(since / 1000).toFixed(3)}`],
    ...['-exec', 'chown', '--no-dereference', `${owner.uid}:${owner.gid}`, '{}', '+']
  ]
}

/**
 * Gives the workspace's owner what root of a container made in it since then: later steps could neither change nor remove it.
 * What cannot be given is told, and no fault.
 */
export async function giveBack(workspace: string, since: number, log: Log): Promise<void> {
  const { uid, gid } = await stat(workspace)
  if (uid === 0) return
  const find = ['find', ...giveBackArguments(workspace, since, { uid, gid })]
  const [program = '', ...args] = isRoot() ? find : ['sudo', '-n', ...find]
  const { code, stderr } = await tryTool(program, args).catch((error: unknown) => ({ code: 1, stderr: String(error) }))
  if (code !== 0) log.warn(`files that root of the container made in the workspace stay root's: ${stderr.trim()}`)
}
