import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Board } from './boards'
import { Guest, guestDirectory, lostGuest, waitForLogin, writeSshConfig, type Login } from './guest'
import type { Home } from './host/paths'
import { ensureTools, hasVersion, toolVersion } from './host/tools'
import {
  chooseUser,
  makeKeys,
  makeOverlay,
  prepareImage,
  type PreparedImage,
  type RunKeys,
  type SharedCache
} from './images'
import type { Inputs, OutputName } from './inputs'
import type { Journal } from './journal'
import { boardFor, describePlan, knownBoard, planMachine, toolsFor } from './plan'
import {
  makeDeviceTree,
  provideQemu,
  qemuCommand,
  runFiles,
  SerialLog,
  startQemu,
  type Qemu,
  type QemuInstall
} from './qemu'
import type { Log } from './report/log'
import type { Phases } from './report/phases'
import { excluding, makeVolume, workspaceLabel, type Manifest } from './workspace'

/** What a run is given besides the inputs. */
export interface Context {
  readonly home: Home
  readonly journal: Journal
  readonly log: Log
  readonly phases: Phases
  /** The script's own streams. */
  readonly stdout: (chunk: Buffer) => void
  readonly stderr: (chunk: Buffer) => void
  /** Called with each output as soon as it is known. */
  readonly output: (name: OutputName, value: string) => void
  /** Prepared images of other jobs. */
  readonly shared?: SharedCache | undefined
}

/** A Pi that is up, and what belongs to it. */
export interface Pi {
  readonly guest: Guest
  readonly qemu: Qemu
  readonly serial: SerialLog
  readonly image: PreparedImage
  readonly user: string
  readonly sshConfig: string
  readonly keys: RunKeys['slots']
  readonly workspace: { readonly path: string; readonly volume: string; readonly sent: Manifest } | undefined
}

/** From inputs to a shell in the guest. */
export async function bootPi(inputs: Inputs, context: Context): Promise<Pi> {
  const { home, journal, log, phases, output } = context
  await phases.run('plan', 'Plan', async () => {
    for (const line of describePlan(inputs)) log.info(line)
    return Promise.resolve()
  })
  // Before all else where that is possible: a QEMU that lacks the board makes the rest pointless.
  const expected = knownBoard(inputs)
  const early = expected && (await readyQemu(inputs, expected, context))
  await phases.run('tools', 'Tools of the host', async () => {
    const needed = toolsFor(inputs)
    await ensureTools(needed, log)
    const versions = await Promise.all(needed.filter(hasVersion).map(toolVersion))
    for (const line of versions) log.info(line)
  })
  const { image, cached, key } = await phases.run('image', 'Image in place', () => {
    const { image: ref, imageSha256: sha256, provision, user: asked, cache } = inputs
    return prepareImage({ image: ref, sha256, provision, user: asked, cache }, { home, journal, log }, context.shared)
  })
  output('cache-hit', cached ? 'prepared' : 'none')
  if (!cached && inputs.cache === 'auto' && context.shared !== undefined) {
    const shared = context.shared
    // At once, and not at the end: a script that fails still leaves a warm cache.
    await phases.run('cache-save', 'Save the prepared image', () => shared.save(key, image.folder, context))
  }
  const board = boardFor(inputs, image)
  const install = early !== undefined && board === expected ? early : await readyQemu(inputs, board, context)
  const user = chooseUser(image.users, inputs.user)
  const { login, sent, machine, keyFile, keys } = await phases.run('disk', 'Disk, keys and workspace of this run', () =>
    makeDisks(inputs, image, { user, board }, context)
  )
  output('board', board.name)
  log.debug(qemuCommand(machine, install).join(' '))
  log.info(`${board.title}: ${board.fidelity}`)
  const serial = new SerialLog(journal.logs, board.uarts)
  const qemu = await phases.run('qemu', 'Start QEMU', () => startQemu(machine, install, journal))
  output('serial-log', serial.mainFile)
  const guestLogin = { ...login, port: qemu.sshPort }
  const booted = phases.elapsed
  const session = await phases
    .run('boot', `Boot ${image.title} on ${board.name}`, () =>
      waitForLogin({ qemu, serial, login: guestLogin, timeout: inputs.bootTimeout, log })
    )
    .finally(() => {
      // Which UART is the console shows only now; after a failed boot it is wanted most.
      output('serial-log', serial.mainFile)
    })
  const seconds = phases.elapsed - booted
  log.info(`SSH answered after ${seconds.toFixed(1)} s`)
  output('boot-seconds', seconds.toFixed(2))
  const sshConfig = await writeSshConfig(journal.folder, guestLogin, keyFile)
  const ssh = {
    'ssh-host': '127.0.0.1',
    'ssh-port': String(qemu.sshPort),
    'ssh-user': user,
    'ssh-key': keyFile,
    'ssh-config': sshConfig
  } as const
  for (const [name, value] of Object.entries(ssh)) output(name as keyof typeof ssh, value)

  const guest = new Guest(session, user, journal.id)
  const shared = inputs.sync === 'none' ? undefined : inputs.workspace
  const workingDirectory = guestDirectory(inputs.workingDirectory, {
    workspace: shared,
    home: image.users[user]?.home ?? '/'
  })
  try {
    await phases.run('setup', 'Set up the guest', () =>
      guest.setUp({
        clock: Date.now(),
        mount: shared === undefined ? undefined : { label: workspaceLabel, path: shared },
        script:
          inputs.run === undefined
            ? undefined
            : { run: inputs.run, shell: inputs.shell, env: inputs.env, workingDirectory }
      })
    )
  } catch (error) {
    throw qemu.isAlive() ? error : lostGuest(qemu, serial, error)
  }
  const workspace =
    shared === undefined ? undefined : { path: shared, volume: join(journal.folder, workspaceFile), sent }
  return { guest, qemu, serial, image, user, sshConfig, keys, workspace }
}

const workspaceFile = 'workspace.img'

/** The QEMU for a board, as a phase of the run. */
export async function readyQemu(inputs: Inputs, board: Board, context: Context): Promise<QemuInstall> {
  const install = await context.phases.run('qemu-ready', 'QEMU ready', () => provideQemu(inputs.qemu, board, context))
  context.output('qemu-version', install.version)
  return install
}

async function makeDisks(
  inputs: Inputs,
  image: PreparedImage,
  { user, board }: { readonly user: string; readonly board: Board },
  { journal, log }: Context
) {
  const { folder, logs } = journal
  const shared = inputs.sync !== 'none'
  const { machine, deviceTree } = planMachine({
    ...{ inputs, image, logs, board },
    volumes: shared ? [{ name: 'workspace', file: workspaceFile }] : [],
    clock: Date.now()
  })
  if (deviceTree !== undefined) {
    const notes = await makeDeviceTree({ ...deviceTree, to: join(folder, runFiles.deviceTree) })
    for (const note of notes) log.info(note)
  }
  const keys = await makeKeys(folder)
  await makeOverlay(image, keys, folder, runFiles.disk)
  const { uid = 0, gid = 0 } = image.users[user] ?? {}
  const sent = shared
    ? await makeVolume({
        workspace: inputs.sync === 'out' ? undefined : inputs.workspace,
        excluded: excluding(inputs.syncExclude),
        owner: { uid, gid },
        file: join(folder, workspaceFile),
        runFolder: folder
      })
    : (new Map() as Manifest)
  if (shared) log.info(`Workspace: ${sent.size} files and folders`)
  const own = inputs.provision === 'auto'
  const keyFile = inputs.sshKey ?? keys.clientKeyFile
  const login: Omit<Login, 'port'> = {
    user,
    privateKey: own ? keys.clientKey : await readFile(keyFile, 'utf8'),
    hostKey: own ? keys.hostPublicKey : undefined
  }
  return { login, sent, machine, keyFile, keys: keys.slots }
}
