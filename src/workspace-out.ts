import { join } from 'node:path'
import type { Context, Pi } from './boot'
import type { Inputs } from './inputs'
import { broughtBack, collectedFolder, mirror, readVolume, type Excluded } from './workspace'

/** Whether anything comes back after the script. */
export function bringsBack({ sync, copyOut }: Pick<Inputs, 'sync' | 'copyOut'>): boolean {
  return sync === 'both' || sync === 'out' || (sync === 'in' && copyOut.length > 0)
}

/** Brings back what the guest left in the workspace, and what of its files was asked for. */
export async function workspaceOut(inputs: Inputs, { guest, workspace }: Pi, context: Context): Promise<void> {
  const { journal, log } = context
  if (workspace === undefined) return
  const { path, volume, sent, excluded } = workspace
  const collected = collectedFolder(journal.id)
  const asked = inputs.copyOut.length > 0
  if (asked) {
    const folder = join(path, collected)
    for (const line of await guest.copyOut({ patterns: inputs.copyOut, folder })) log.warn(`copy-out: ${line}`)
  }
  const whole = inputs.sync !== 'in'
  // What was asked for by name comes back whatever its name is.
  const out: Excluded = (name, isFolder) => !name.startsWith(collected) && excluded(name, isFolder)
  const request = { volume, sent, excluded: out, scratch: join(journal.folder, 'workspace-out') }
  const { written, deleted } = await guest.whileFrozen(path, afterwards(inputs, asked, join(path, collected)), () =>
    readVolume(request, ({ left, fetch, copy }) =>
      mirror({
        left: broughtBack(left, collected, whole),
        workspace: inputs.workspace,
        sent: whole ? sent : new Map(),
        fetch,
        copy,
        log
      })
    )
  )
  log.info(`${written} written, ${deleted} deleted`)
}

/** What the guest goes on with; one that is thrown away next need not move again. */
function afterwards(
  { keepRunning, saveImage, disks }: Inputs,
  asked: boolean,
  remove: string
): { readonly remove?: string } | undefined {
  if (!keepRunning && saveImage === undefined && disks.length === 0) return undefined
  return asked ? { remove } : {}
}
