import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { readFile, rm } from 'node:fs/promises'
import { constants } from 'node:os'
import { excluding, makeVolume, mirror, readVolume, workspaceLabel, type Manifest } from './workspace'
import { Guest, guestDirectory, lostGuest, waitForLogin, watchGuest, writeSshConfig, type Login } from './guest'
import type { Home } from './host/paths'
import { ensureTools, hasVersion, toolVersion } from './host/tools'
import {
  chooseUser,
  makeKeys,
  makeOverlay,
  prepareImage,
  saveDisk,
  type PreparedImage,
  type SharedCache
} from './images'
import type { Inputs, OutputName } from './inputs'
import type { Journal } from './journal'
import { describePlan, planMachine, toolsFor } from './plan'
import { qemuArguments, qemuProgram, quitQemu, runFiles, SerialLog, startQemu, type Qemu } from './qemu'
import { TimeLimit, type Outcome } from './report/errors'
import type { Log } from './report/log'
import type { Phases } from './report/phases'

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

export interface Result {
  readonly outcome: Extract<Outcome, 'success' | 'script-failed' | 'timeout'>
  /** The script's status; 128 + n for signal n; 124 past `run-timeout`. */
  readonly exitCode: number
  /** The signal that ended the script. */
  readonly signal: string | undefined
}

/** A Pi that is up, and what belongs to it. */
export interface Pi {
  readonly guest: Guest
  readonly qemu: Qemu
  readonly serial: SerialLog
  readonly image: PreparedImage
  readonly user: string
  readonly sshConfig: string
  readonly workspace: { readonly path: string; readonly volume: string; readonly sent: Manifest } | undefined
}

/** A system-mode run, phase by phase. The caller tears down, whatever happens here. */
export async function run(inputs: Inputs, context: Context): Promise<Result> {
  const pi = await bootPi(inputs, context)
  const result = await runScript(inputs, pi, context)
  if (pi.workspace !== undefined && (inputs.sync === 'both' || inputs.sync === 'out')) {
    await context.phases.run('workspace-out', 'Bring the workspace back', () => workspaceOut(inputs, pi, context))
  }
  if (inputs.saveImage !== undefined) {
    const target = inputs.saveImage
    await context.phases.run('power-off', 'Switch the Pi off', () => powerOff(pi))
    await context.phases.run('save-image', `Save the disk to ${target.path}`, () =>
      saveDisk({ image: pi.image, overlay: join(context.journal.folder, runFiles.disk), target, ...context })
    )
  } else if (!inputs.keepRunning) {
    await context.phases.run('power-off', 'Switch the Pi off', async () => {
      pi.guest.session.close()
      await quitQemu(pi.qemu)
    })
  } else {
    context.journal.record({ kind: 'kept' })
    pi.guest.session.close()
    pi.qemu.qmp.close()
  }
  return result
}

/** From inputs to a shell in the guest. */
export async function bootPi(inputs: Inputs, context: Context): Promise<Pi> {
  const { home, journal, log, phases, output } = context
  await phases.run('plan', 'Plan', async () => {
    for (const line of describePlan(inputs)) log.info(line)
    return Promise.resolve()
  })
  await phases.run('tools', 'Tools of the host', async () => {
    const needed = toolsFor(inputs)
    await ensureTools(needed, log)
    const versions = await Promise.all(needed.filter(hasVersion).map(toolVersion))
    for (const line of versions) log.info(line)
    const version = versions[0] ?? ''
    output('qemu-version', /version ([\d.]+)/.exec(version)?.[1] ?? version)
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
  const user = chooseUser(image.users, inputs.user)
  const { login, sent, machine, keyFile } = await phases.run('disk', 'Disk, keys and workspace of this run', () =>
    makeDisks(inputs, image, user, context)
  )
  const { board } = machine
  output('board', board.name)
  log.debug([qemuProgram, ...qemuArguments(machine)].join(' '))
  log.info(`${board.title}: ${board.fidelity}`)
  const serial = new SerialLog(journal.logs, board.uarts)
  const qemu = await phases.run('qemu', 'Start QEMU', () => startQemu(machine, journal))
  output('serial-log', serial.mainFile)
  const guestLogin = { ...login, port: qemu.sshPort }
  const booted = phases.elapsed
  const session = await phases.run('boot', `Boot ${image.title} on ${board.name}`, () =>
    waitForLogin({ qemu, serial, login: guestLogin, timeout: inputs.bootTimeout, log })
  )
  const seconds = phases.elapsed - booted
  log.info(`SSH answered after ${seconds.toFixed(1)} s`)
  output('boot-seconds', seconds.toFixed(2))
  output('serial-log', serial.mainFile)
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
  return { guest, qemu, serial, image, user, sshConfig, workspace }
}

const workspaceFile = 'workspace.img'

async function makeDisks(inputs: Inputs, image: PreparedImage, user: string, { journal, log }: Context) {
  const { folder, logs } = journal
  const shared = inputs.sync !== 'none'
  const machine = planMachine({
    ...{ inputs, image, logs },
    volumes: shared ? [{ name: 'workspace', file: workspaceFile }] : [],
    clock: Date.now()
  })
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
  return { login, sent, machine, keyFile }
}

async function runScript(
  inputs: Inputs,
  { guest, qemu, serial }: Pi,
  { phases, log, stdout, stderr }: Context
): Promise<Result> {
  if (inputs.run === undefined) return { outcome: 'success', exitCode: 0, signal: undefined }
  const ended = await phases.run('run', 'Run the script', () => {
    log.endGroup() // its output is what the reader came for: not folded away
    const stop = new AbortController()
    const running = guest.run({ onStdout: stdout, onStderr: stderr }, inputs.runTimeout)
    return Promise.race([running, watchGuest(qemu, serial, stop.signal)]).finally(() => {
      stop.abort()
    })
  })
  if (ended.timedOut) return { outcome: 'timeout', exitCode: 124, signal: ended.signal }
  if (ended.signal !== undefined)
    return { outcome: 'script-failed', exitCode: 128 + signalNumber(ended.signal), signal: ended.signal }
  if (ended.code === undefined) {
    await sleep(300) // QEMU's end, if that is why, is noticed a moment later
    throw lostGuest(qemu, serial)
  }
  return { outcome: ended.code === 0 ? 'success' : 'script-failed', exitCode: ended.code, signal: undefined }
}

/** Numbers of the signals as the kernel has them on every Arm. */
function signalNumber(name: string): number {
  return (constants.signals as Readonly<Record<string, number>>)[`SIG${name}`] ?? 0
}

async function workspaceOut(inputs: Inputs, { guest, workspace }: Pi, { journal, log }: Context): Promise<void> {
  if (workspace === undefined) return
  const from = join(journal.folder, 'workspace-out')
  await guest.whileFrozen(workspace.path, () => readVolume(workspace.volume, from))
  const { written, deleted } = await mirror({
    from,
    workspace: inputs.workspace,
    sent: workspace.sent,
    excluded: excluding(inputs.syncExclude),
    log
  })
  await rm(from, { recursive: true, force: true })
  log.info(`${written} written, ${deleted} deleted`)
}

/** How long (ms) an orderly power-off may take. */
const powerOffTimeout = 120_000

async function powerOff({ guest, qemu, serial }: Pi): Promise<void> {
  await guest.powerOff()
  const deadline = Date.now() + powerOffTimeout
  while (qemu.isAlive() && Date.now() < deadline) {
    // Boards without a power switch say so and stand still.
    if (serial.poll().some(line => /reboot: (Power down|System halted)/.test(line))) break
    await sleep(100)
  }
  if (qemu.isAlive() && Date.now() >= deadline) {
    throw new TimeLimit({
      symptom: `the guest did not switch off within ${powerOffTimeout / 1000} s`,
      log: serial.mainFile
    })
  }
  guest.session.close()
  if (qemu.isAlive()) await quitQemu(qemu)
}
