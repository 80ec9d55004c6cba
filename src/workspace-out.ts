import { join } from 'node:path'
import type { Context, Pi } from './boot'
import type { Inputs } from './inputs'
import type { Log } from './report/log'
import type { WorkspaceVolume } from './run-files'
import {
  broughtBack,
  broughtManifest,
  collectedFolder,
  mirror,
  readVolume,
  type Excluded,
  type Manifest
} from './workspace'

/** Whether anything comes back after the script. */
export function bringsBack({ sync, copyOut }: Pick<Inputs, 'sync' | 'copyOut'>): boolean {
  return sync === 'both' || sync === 'out' || (sync === 'in' && copyOut.length > 0)
}

/** What decides what comes back. */
export type BringBack = Pick<Inputs, 'sync' | 'copyOut' | 'workspace' | 'keepRunning' | 'saveImage' | 'disks'>

/** Brings back what the guest left in the workspace, and what of its files was asked for; what both sides have then. */
export async function workspaceOut(
  inputs: BringBack,
  { guest, workspace }: Pick<Pi, 'guest'> & { readonly workspace: WorkspaceVolume },
  { journal, log }: { readonly journal: Pick<Context['journal'], 'folder' | 'id'>; readonly log: Log }
): Promise<Manifest> {
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
  return guest.whileFrozen(path, afterwards(inputs, asked, join(path, collected)), () =>
    readVolume(request, async ({ left, fetch, copy, stateOf }) => {
      const { written, deleted } = await mirror({
        left: broughtBack(left, collected, whole),
        workspace: inputs.workspace,
        sent: whole ? sent : new Map(),
        fetch,
        copy,
        log
      })
      log.info(`${written} written, ${deleted} deleted`)
      if (!whole || !inputs.keepRunning) return sent
      const own = new Map([...left].filter(([name]) => !name.startsWith(collected)))
      return broughtManifest(own, sent, inputs.workspace, stateOf)
    })
  )
}

/** What the guest goes on with; one that is thrown away next need not move again. */
function afterwards(
  { keepRunning, saveImage, disks }: BringBack,
  asked: boolean,
  remove: string
): { readonly remove?: string } | undefined {
  if (!keepRunning && saveImage === undefined && disks.length === 0) return undefined
  return asked ? { remove } : {}
}
