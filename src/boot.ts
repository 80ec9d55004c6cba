import type { Board } from './boards'
import type { SharedCache } from './cache'
import { checkDisks } from './disks'
import { runFirstBoot } from './first-boot'
import { Guest, guestDirectory, lostGuest, waitForLogin, writeSshConfig, type GuestSession } from './guest'
import type { Home } from './host/paths'
import { ensureTools, hasVersion, toolVersion } from './host/tools'
import { chooseUser, pinned, prepareImage, resolveRelease, type PreparedImage, type RunKeys } from './images'
import type { Inputs, OutputName } from './inputs'
import type { Journal } from './journal'
import { boardFor, describePlan, knownBoard, toolsFor } from './plan'
import {
  flushPatience,
  provideQemu,
  qemuCommand,
  quitQemu,
  SerialLog,
  startQemu,
  type Qemu,
  type QemuInstall
} from './qemu'
import type { Log } from './report/log'
import type { Phases } from './report/phases'
import { makeRunFiles, type WorkspaceVolume } from './run-files'
import { sharingQemu, workspaceLabel } from './workspace'

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
  readonly workspace: WorkspaceVolume | undefined
}

/** From inputs to a shell in the guest. */
export async function bootPi(inputs: Inputs, context: Context): Promise<Pi> {
  const { home, journal, log, phases, output } = context
  const release = await phases.run('plan', 'Plan', async () => {
    for (const line of describePlan(inputs)) log.info(line)
    const { image, catalogUrl } = inputs
    return image.kind === 'catalogue' ? resolveRelease(image, catalogUrl, context) : undefined
  })
  if (release !== undefined) output('image-release', pinned(release.release))
  // Before all else where that is possible: a QEMU that lacks the board makes the rest pointless.
  const expected = knownBoard(inputs)
  const early = expected && (await readyQemu(inputs, expected, context))
  await readyTools(
    release === undefined ? inputs : { ...inputs, image: { kind: 'url', url: release.release.url } },
    context
  )
  await checkDisks(inputs.disks)
  const {
    image: prepared,
    cached,
    key
  } = await phases.run('image', 'Image in place', () => {
    const { image: ref, imageSha256: sha256, user: asked, provision, cache, firmware, hostname } = inputs
    const wishes = { provision, firmware, hostname, firstBoot: inputs.firstBoot, diskSize: inputs.diskSize }
    const request = { image: ref, release, sha256, user: asked, cache, ...wishes }
    return prepareImage(request, { home, journal, log }, context.shared)
  })
  output('cache-hit', cached ? 'prepared' : 'none')
  if (!cached && inputs.cache === 'auto' && context.shared !== undefined) {
    const shared = context.shared
    // At once, and not at the end: a script that fails still leaves a warm cache.
    await phases.run('cache-save', 'Save the prepared image', () =>
      shared.save({ kind: 'prepared', key }, prepared.folder, context)
    )
  }
  const board = boardFor(inputs, prepared)
  const ready = early !== undefined && board === expected ? early : await readyQemu(inputs, board, context)
  const user = chooseUser(prepared.users, inputs.user)
  const { uid = 0, gid = 0 } = prepared.users[user] ?? {}
  const sharing = { install: ready, workspace: inputs.workspace, user: { name: user, uid, gid }, log }
  const install = inputs.sync === 'live' ? await sharingQemu(sharing) : ready
  const made = await phases.run('disk', 'Disk, keys and workspace of this run', () =>
    makeRunFiles({ inputs, prepared, user, board, home, journal, log })
  )
  const { image, login, workspace, machine, machineFor, keyFile, keys, notPiKernel } = made
  output('board', board.name)
  log.debug(qemuCommand(machine, install).join(' '))
  log.info(`${board.title}: ${[board.fidelity, ...notPiKernel].join('; ')}`)
  let serial = new SerialLog(journal.logs, board.uarts)
  let qemu: Qemu
  let session: GuestSession
  const booted = phases.elapsed
  try {
    const title = `Boot ${image.title} on ${board.name}`
    if (inputs.firstBoot === 'run') {
      const [timeout, started] = [inputs.bootTimeout, (log: SerialLog) => (serial = log)]
      const request = { image, machine: machineFor, install, login, timeout, journal, log, started }
      ;({ qemu, session } = await phases.run('boot', `${title}, first boot included`, () => runFirstBoot(request)))
    } else {
      const running = (qemu = await phases.run('qemu', 'Start QEMU', () => startQemu(machine, install, journal)))
      output('serial-log', serial.mainFile)
      const guestLogin = { ...login, port: qemu.sshPort }
      session = await phases.run('boot', title, () =>
        waitForLogin({ qemu: running, serial, login: guestLogin, timeout: inputs.bootTimeout, log })
      )
    }
  } finally {
    // Which UART is the console shows only now; after a failed boot it is wanted most.
    output('serial-log', serial.mainFile)
  }
  const seconds = phases.elapsed - booted
  log.info(`SSH answered after ${seconds.toFixed(1)} s`)
  output('boot-seconds', seconds.toFixed(2))
  const sshConfig = await writeSshConfig(journal.folder, { ...login, port: qemu.sshPort }, keyFile)
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
        mount:
          shared === undefined ? undefined : { label: workspaceLabel, path: shared, shared: inputs.sync === 'live' },
        script:
          inputs.run === undefined
            ? undefined
            : { run: inputs.run, shell: inputs.shell, env: inputs.env, workingDirectory }
      })
    )
  } catch (error) {
    throw qemu.isAlive() ? error : lostGuest(qemu, serial, error)
  }
  return { guest, qemu, serial, image, user, sshConfig, keys, workspace }
}

/** The QEMU for a board. */
export async function readyQemu(inputs: Inputs, board: Board, context: Context): Promise<QemuInstall> {
  const install = await context.phases.run('qemu-ready', 'QEMU ready', () => provideQemu(inputs.qemu, board, context))
  context.output('qemu-version', install.version)
  return install
}

/** The programs that a run needs, installed if they are missing. */
export async function readyTools(inputs: Inputs, { phases, log }: Context): Promise<void> {
  await phases.run('tools', 'Tools of the host', async () => {
    const needed = toolsFor(inputs)
    await ensureTools(needed, log)
    const versions = await Promise.all(needed.filter(hasVersion).map(toolVersion))
    for (const line of versions) log.info(line)
  })
}

/** Ends a Pi at once; its own disk is thrown away, but what it wrote to the user's disks is complete. */
export async function leave({ guest, qemu }: Pi, { disks }: Pick<Inputs, 'disks'>, log: Log): Promise<void> {
  const kept = disks.length > 0
  if (kept && !(await guest.settleDisks())) {
    log.warn('The guest did not write its disks out: what it changed last on those of `disks` may be missing')
  }
  guest.session.close()
  await quitQemu(qemu, kept ? flushPatience : undefined)
}
