import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { runFirstBoot } from './first-boot'
import { Guest, guestDirectory, lostGuest, waitForLogin, writeSshConfig, type GuestSession, type Login } from './guest'
import type { Home } from './host/paths'
import { ensureTools, hasVersion, toolVersion } from './host/tools'
import {
  answersWizard,
  chooseUser,
  makeKeys,
  makeOverlay,
  ownChanges,
  prepareImage,
  privateCopy,
  wizardUnit,
  type PreparedImage,
  type RunKeys,
  type SharedCache
} from './images'
import type { Inputs, OutputName } from './inputs'
import type { Journal } from './journal'
import { boardFor, describePlan, planMachine, toolsFor } from './plan'
import {
  makeDeviceTree,
  qemuArguments,
  qemuProgram,
  runFiles,
  SerialLog,
  startQemu,
  type Machine,
  type Qemu
} from './qemu'
import { BadInput } from './report/errors'
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
  await phases.run('tools', 'Tools of the host', async () => {
    const needed = toolsFor(inputs)
    await ensureTools(needed, log)
    const versions = await Promise.all(needed.filter(hasVersion).map(toolVersion))
    for (const line of versions) log.info(line)
    const version = versions[0] ?? ''
    output('qemu-version', /version ([\d.]+)/.exec(version)?.[1] ?? version)
  })
  const {
    image: prepared,
    cached,
    key
  } = await phases.run('image', 'Image in place', () => {
    const { image: ref, imageSha256: sha256, provision, user: asked, cache, hostname, firstBoot, diskSize } = inputs
    const request = { image: ref, sha256, provision, user: asked, cache, hostname, firstBoot, diskSize }
    return prepareImage(request, { home, journal, log }, context.shared)
  })
  output('cache-hit', cached ? 'prepared' : 'none')
  if (!cached && inputs.cache === 'auto' && context.shared !== undefined) {
    const shared = context.shared
    // At once, and not at the end: a script that fails still leaves a warm cache.
    await phases.run('cache-save', 'Save the prepared image', () => shared.save(key, prepared.folder, context))
  }
  const user = chooseUser(prepared.users, inputs.user)
  const { image, login, sent, machine, machineFor, keyFile, keys } = await phases.run(
    'disk',
    'Disk, keys and workspace of this run',
    () => makeDisks(inputs, prepared, user, context)
  )
  const { board } = machine
  output('board', board.name)
  log.debug([qemuProgram, ...qemuArguments(machine)].join(' '))
  log.info(`${board.title}: ${board.fidelity}`)
  let serial = new SerialLog(journal.logs, board.uarts)
  let qemu: Qemu
  let session: GuestSession
  const booted = phases.elapsed
  try {
    const title = `Boot ${image.title} on ${board.name}`
    if (inputs.firstBoot === 'run') {
      const [timeout, started] = [inputs.bootTimeout, (log: SerialLog) => (serial = log)]
      const request = { image, machine: machineFor, login, timeout, journal, log, started }
      ;({ qemu, session } = await phases.run('boot', `${title}, first boot included`, () => runFirstBoot(request)))
    } else {
      const running = (qemu = await phases.run('qemu', 'Start QEMU', () => startQemu(machine, journal)))
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

async function makeDisks(inputs: Inputs, prepared: PreparedImage, user: string, { journal, log }: Context) {
  const { folder, logs } = journal
  const shared = inputs.sync !== 'none'
  const request = {
    ...{ inputs, image: prepared, logs, board: boardFor(inputs, prepared) },
    volumes: shared ? [{ name: 'workspace', file: workspaceFile }] : []
  }
  const { machine, deviceTree } = planMachine({ ...request, clock: Date.now() })
  if (deviceTree !== undefined) {
    const notes = await makeDeviceTree({ ...deviceTree, to: join(folder, runFiles.deviceTree) })
    for (const note of notes) log.info(note)
  }
  if (inputs.password !== undefined && prepared.family === 'mini')
    throw new BadInput([`input \`password\` does not go with this image (${prepared.title}): it takes keys only`])
  const keys = await makeKeys(folder, inputs.password)
  const hash = keys.slots.password?.toString()
  const changes = ownChanges(prepared, { files: inputs.files, user, hash, firstBoot: inputs.firstBoot })
  const image = changes === undefined ? prepared : await privateCopy(prepared, changes, folder, log)
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
  // Without a password for userconf.txt, a wizard would wait for an answer that never comes.
  const hasWizard = own && (hash === undefined || !answersWizard(image, user))
  const machineFor = (cmdline: string): Machine => {
    const { machine: next } = planMachine({ ...request, clock: Date.now(), cmdline })
    const { kernelArguments } = next
    return hasWizard ? { ...next, kernelArguments: [...kernelArguments, `systemd.mask=${wizardUnit}`] } : next
  }
  return { image, login, sent, machine, machineFor, keyFile, keys: keys.slots }
}
