import { join } from 'node:path'
import { shellQuote } from '../guest'
import { HostFailure } from '../report/errors'
import type { Log } from '../report/log'
import {
  excluding,
  excludingIgnored,
  onHost,
  outgoing,
  readManifest,
  readVolume,
  writeManifest,
  type BytePath,
  type Excluded,
  type Manifest,
  type ReadBack
} from '../workspace'
import { workspaceOut } from '../workspace-out'
import type { Entered } from './connect'
import { manifestFile, type PiState } from './state'
import { packing, startTar } from './tar'

type Volume = NonNullable<PiState['volume']>

/** Brings what changed in the guest's copy of the workspace since the last exchange to the host. */
export async function exchangeOut(pi: Entered, volume: Volume, log: Log): Promise<void> {
  const { folder, state, guest } = pi
  const { path, excluded, sent } = await placeOf(pi, volume)
  const workspace = { path, volume: volume.file, sent, excluded }
  const inputs = {
    sync: 'both',
    copyOut: [],
    workspace: path,
    keepRunning: true,
    saveImage: undefined,
    disks: []
  } as const
  const now = await workspaceOut(inputs, { guest, workspace }, { journal: { folder, id: state.run }, log })
  await writeManifest(join(folder, manifestFile), now)
}

/** Brings what changed on the host since the last exchange to the guest's copy; of what changed on both sides the host's. */
export async function exchangeIn(pi: Entered, volume: Volume, log: Log): Promise<void> {
  const { path, excluded, sent } = await placeOf(pi, volume)
  const look = <T>(work: (back: ReadBack) => T): Promise<T> =>
    pi.guest.whileFrozen(path, {}, () =>
      readVolume({ volume: volume.file, sent, excluded, scratch: join(pi.folder, 'workspace-in') }, back =>
        Promise.resolve(work(back))
      )
    )
  const now = onHost(path, excluded)
  const { send, remove, kept } = await look(({ left }) => outgoing(now, sent, left))
  for (const name of kept)
    log.warn(`${Buffer.from(name, 'latin1').toString()} is gone on the host, but changed in the guest meanwhile: kept`)
  await removeIn(
    pi,
    path,
    remove.filter(({ kind }) => kind !== 'folder').map(one => one.path),
    'rm -f --'
  )
  await removeIn(
    pi,
    path,
    remove.filter(({ kind }) => kind === 'folder').map(one => one.path),
    'rmdir -- 2>/dev/null'
  )
  if (send.length > 0) await sendTree(pi, path, send)
  const next = await look(({ left, stateOf }) => {
    const both = new Map(sent)
    for (const { path: name } of remove) both.delete(name)
    for (const name of send) {
      const [entry, inode] = [now.get(name), left.get(name)?.inode]
      if (entry !== undefined && inode !== undefined) both.set(name, { ...entry, inode, state: stateOf(inode) })
    }
    return both
  })
  await writeManifest(join(pi.folder, manifestFile), next)
  log.info(`${send.length} sent, ${remove.length} deleted`)
}

async function placeOf(
  { folder, state: { workspace: path } }: Entered,
  { patterns, gitignore }: Volume
): Promise<{ readonly path: string; readonly excluded: Excluded; readonly sent: Manifest }> {
  const excluded = gitignore ? await excludingIgnored(path, patterns) : excluding(patterns)
  return { path, excluded, sent: await readManifest(join(folder, manifestFile)) }
}

/** Names, as tar and xargs read them; one that begins with a dash is no option. */
const list = (paths: readonly BytePath[]): Buffer =>
  Buffer.concat(paths.map(path => Buffer.from(`./${path}\0`, 'latin1')))

async function removeIn({ guest }: Entered, path: string, names: readonly BytePath[], command: string): Promise<void> {
  if (names.length === 0) return
  await guest.feedRoot(`cd ${shellQuote(path)} && xargs -0 ${command}`, { input: list(names) })
}

/** Brings files, folders and links into the guest. */
async function sendTree({ guest, state: { user } }: Entered, path: string, names: readonly BytePath[]): Promise<void> {
  const owner = [`--owner=+${user.uid}`, `--group=+${user.gid}`]
  const tar = await startTar([
    ...packing,
    ...owner,
    '--null',
    '--no-recursion',
    `--directory=${path}`,
    '--files-from=-'
  ])
  tar.stdin.end(list(names))
  const { code, stderr } = await guest.feedRoot(`exec tar -x -p -f - -C ${shellQuote(path)}`, { input: tar.stdout })
  if ((await tar.end(code === 0)) <= 1 && code === 0) return
  throw new HostFailure({
    symptom: `the workspace could not be sent: ${(stderr || tar.told()).trim() || 'tar failed'}`,
    cause: 'the disk in the guest is full, or what is in the way there is of another kind',
    remedy: 'look at the workspace in the guest; the next `sync in` sends what is missing'
  })
}
