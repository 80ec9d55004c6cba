import { mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../context'
import { copyOutText, guestDirectory, patternsWithoutMatch } from '../guest'
import { tool } from '../host/exec'
import { toolsBeside } from '../host-ready'
import { chooseUser, saveDisk, type PreparedImage } from '../images'
import { copyOutFolder, type Inputs } from '../inputs'
import { imageInPlace } from '../layers'
import { unpackersFor } from '../plan'
import { plannedImage } from '../planned-image'
import type { ScriptResult } from '../script-run'
import type { Rights, WorkspaceMount } from '../usermode'
import { makeTold, readTold, scriptEnvironment, tellJob, toldInside } from '../workflow'
import { caveats, ofImage, root, type Emulation } from './place'
import { copyDisk, rootfsPreparer } from './prepare'
import { inRootfs } from './script'

export { caveats, platformsFor, type Emulation } from './place'
export { rootfsPreparer } from './prepare'

/** What tells how the programs of an image will be run, once it is known what they are. */
export type EmulationFor = (image: PreparedImage) => Emulation

/** A script in an image's root file system, which is not booted. The caller tears down. */
export async function runInRootfs(inputs: Inputs, emulationFor: EmulationFor, context: Context): Promise<ScriptResult> {
  const { journal, log, phases } = context
  const { release, here } = await plannedImage(inputs, context)
  const tools = toolsBeside(here, context, undefined)
  // Known once there is an image; that of `prepare` is of the same kind.
  let known: Emulation | undefined
  const preparer = rootfsPreparer(inputs, image => (known ??= emulationFor(image)))
  const request = { inputs, release, tools, unpackers: unpackersFor(here.image), preparer }
  const { image } = await imageInPlace(request, context)
  context.record.note({ image: image.title })
  await tools()
  const emulation = known ?? emulationFor(image)
  await emulation.provided()

  const at = join(journal.folder, 'rootfs')
  const disk = inputs.saveImage === undefined ? undefined : join(journal.folder, 'disk.img')
  if (disk !== undefined) await copyDisk(image.disk, disk)
  await mkdir(at)
  // Without root, the owner of the workspace can be shown to root alone.
  const rights = await emulation.rights()
  const isOwnersRoot = rights === 'unprivileged' && inputs.sync !== 'none' && inputs.user === undefined
  const name = chooseUser(image.users, isOwnersRoot ? 'root' : inputs.user)
  const user = { ...root, ...image.users[name], name }
  const workspace = await workspaceFor(inputs, at, rights)
  const place = { rootfs: ofImage(image, disk), at, workspace }
  const workingDirectory = guestDirectory(inputs.workingDirectory, { workspace: workspace?.target, home: user.home })
  const env = scriptEnvironment(inputs, image.architecture, toldInside)
  const script = { run: inputs.run ?? 'true', shell: inputs.shell, env, workingDirectory }
  const told = inputs.workflow === undefined ? undefined : join(at, 'told')
  if (told !== undefined) await makeTold(told)
  const files = await Promise.all(
    inputs.files.map(async ({ from, to, mode }) => ({ from, to, mode: mode ?? (await stat(from)).mode & 0o7777 }))
  )
  const result = await phases.run('run', 'Run the script in the root file system', () => {
    log.info(`${image.title}, ${image.architecture}, as ${name}; ${caveats.join('; ')}`)
    log.endGroup() // its output is what the reader came for: not folded away
    const streams = { onStdout: context.stdout, onStderr: context.stderr }
    const timeout = inputs.runTimeout
    return inRootfs({ ...place, ...streams, user, script, files, timeout, collected: told }, emulation, context)
  })
  if (told !== undefined) await tellJob(await readTold(told), inputs, log)
  if (inputs.copyOut.length > 0)
    await phases.run('workspace-out', 'Bring files back', () => copyOut(inputs, { ...place, user }, emulation, context))
  if (inputs.sync === 'out' && workspace !== undefined)
    await tool('cp', ['-a', `${workspace.source}/.`, inputs.workspace])
  if (inputs.saveImage !== undefined && disk !== undefined) {
    const target = inputs.saveImage
    await phases.run('save-image', `Save the disk to ${target.path}`, () =>
      saveDisk({ image, disk: { path: disk, format: 'raw' }, target, keys: {}, ...context })
    )
  }
  return result
}

/** How the workspace appears in the root file system: as it is, or so that changes stay there. */
async function workspaceFor(
  { sync, workspace }: Inputs,
  at: string,
  rights: Rights
): Promise<WorkspaceMount | undefined> {
  if (sync === 'none') return undefined
  const { uid, gid } = await stat(workspace)
  // In a namespace of this user's own, what is this user's is root's.
  const owner = rights === 'unprivileged' && uid === process.getuid?.() ? root : { uid, gid }
  if (sync !== 'out') return { source: workspace, target: workspace, mode: sync === 'in' ? 'copy' : 'bind', owner }
  const source = join(at, 'workspace-out')
  await mkdir(source)
  return {
    source,
    target: workspace,
    mode: 'bind',
    owner: { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }
  }
}

/** Brings files of the root file system into the workspace, as they are after the script. */
async function copyOut(
  { copyOut: patterns, workspace }: Inputs,
  place: Pick<Parameters<typeof inRootfs>[0], 'rootfs' | 'at' | 'workspace' | 'user'>,
  emulation: Emulation,
  context: Context
): Promise<void> {
  const collected = join(place.at, 'collected')
  await mkdir(collected)
  const said = { stdout: '', stderr: '' }
  const run = copyOutText({ patterns, folder: '/run/pi-qemu-out/files' })
  await inRootfs(
    {
      ...{ ...place, user: root, collected, timeout: undefined },
      script: { run, shell: 'sh', env: {}, workingDirectory: undefined },
      onStdout: chunk => (said.stdout += chunk.toString()),
      onStderr: chunk => (said.stderr += chunk.toString())
    },
    emulation,
    context
  )
  const complaints = said.stderr.split('\n').filter(line => line.trim() !== '')
  const missing = patternsWithoutMatch(said.stdout).map(pattern => `nothing in the root file system matches ${pattern}`)
  for (const line of [...missing, ...complaints]) context.log.warn(`copy-out: ${line}`)
  const files = join(collected, 'files')
  const names = await readdir(files).catch(() => [])
  if (names.length === 0) return
  const target = join(workspace, copyOutFolder)
  await mkdir(target, { recursive: true })
  await tool('cp', ['-a', '--remove-destination', `${files}/.`, target])
  await rm(collected, { recursive: true })
  context.log.info(`In ${copyOutFolder}: ${names.join(', ')}`)
}
