import type { Board } from './boards'
import type { Context } from './context'
import { checkDisks } from './disks'
import {
  Guest,
  guestDirectory,
  guestFolder,
  kernelIn,
  lostGuest,
  setupText,
  writeSshConfig,
  type Login,
  type SetupRequest
} from './guest'
import { qemuBeside, readyQemu, toolsBeside, unlessFailing } from './host-ready'
import { authorizedKeys, chooseUser, miniAuthorizedKeys, type PreparedImage, type RunKeys } from './images'
import { loopback, type Inputs } from './inputs'
import { imageInPlace } from './layers'
import { checkTapRights } from './network'
import { boardFor, knownBoard, unpackersFor } from './plan'
import { plannedImage } from './planned-image'
import { powerOn } from './power'
import { boardPreparer } from './prepare'
import { flushPatience, quitQemu, type Machine, type Qemu, type QemuInstall, type SerialLog } from './qemu'
import type { Log } from './report/log'
import type { WorkspaceVolume } from './run-files'
import { makeText, scriptEnvironment } from './workflow'
import { sharingQemu, workspaceLabel } from './workspace'

export type { Context } from './context'

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
  /** For another connection, once that of `guest` has broken. */
  readonly login: Login
  /** Private key for logging in. */
  readonly keyFile: string
  readonly machine: Machine
}

/** All that it takes to switch a Pi on. */
export interface ReadyPi {
  readonly prepared: PreparedImage
  readonly board: Board
  readonly user: string
  readonly install: QemuInstall
  /** Whether other jobs have this very prepared image. */
  readonly isShared: Promise<boolean>
}

/** From inputs to an image in place, and a QEMU with the tools that it takes. */
export async function readyPi(inputs: Inputs, context: Context): Promise<ReadyPi> {
  const { output } = context
  if (inputs.network === 'tap') await checkTapRights()
  const expected = knownBoard(inputs)
  const coming = expected && qemuBeside(inputs, expected, context)
  const { release, here } = await plannedImage(inputs, context)
  // Before all else where that is possible: a QEMU that lacks the board makes the rest pointless.
  await coming?.certain
  const tools = toolsBeside(here, context, coming)
  if (inputs.disks.length > 0) await tools()
  await checkDisks(inputs.disks)
  const { image: prepared, isShared } = await unlessFailing(
    [coming?.done, tools],
    imageInPlace(
      {
        ...{ inputs, release, tools, unpackers: unpackersFor(here.image) },
        preparer: boardPreparer(
          inputs,
          async (board, own) => (board === expected ? await coming?.done() : undefined) ?? readyQemu(inputs, board, own)
        )
      },
      context
    )
  )
  await tools()
  const board = boardFor(inputs, prepared)
  const ready = (board === expected ? await coming?.done() : undefined) ?? (await readyQemu(inputs, board, context))
  output('qemu-version', ready.version)
  const user = chooseUser(prepared.users, inputs.user)
  const { uid = 0, gid = 0 } = prepared.users[user] ?? {}
  const sharing = { install: ready, workspace: inputs.workspace, user: { name: user, uid, gid }, log: context.log }
  const install = inputs.sync === 'live' ? await sharingQemu(sharing) : ready
  return { prepared, board, user, install, isShared }
}

/** From inputs to a shell in the guest. */
export async function bootPi(inputs: Inputs, context: Context): Promise<Pi> {
  const { journal, phases, output, record } = context
  const ready = await readyPi(inputs, context)
  const { prepared, user } = ready
  const shared = inputs.sync === 'none' ? undefined : inputs.workspace
  const workingDirectory = guestDirectory(inputs.workingDirectory, {
    workspace: shared,
    home: prepared.users[user]?.home ?? '/'
  })
  const folder = guestFolder(journal.id)
  const env = scriptEnvironment(inputs, prepared.architecture, folder)
  const first = inputs.workflow === undefined ? undefined : makeText(folder)
  const setup: Omit<SetupRequest, 'folder' | 'user' | 'clock'> = {
    authorized: {
      files: [authorizedKeys, ...(prepared.family === 'mini' ? [miniAuthorizedKeys] : [])],
      keys: inputs.authorizedKeys
    },
    mount: shared === undefined ? undefined : { label: workspaceLabel, path: shared, shared: inputs.sync === 'live' },
    script:
      inputs.run === undefined ? undefined : { run: inputs.run, shell: inputs.shell, env, workingDirectory, first }
  }
  const text = (clock: number): string => setupText({ ...setup, clock, folder, user })
  const powered = await powerOn({ ...ready, inputs, setup: text }, context)
  const { image, workspace, keyFile, keys, qemu, serial, session, seconds } = powered
  output('boot-seconds', seconds.toFixed(2))
  const login: Login = { ...powered.login, port: qemu.sshPort }
  const sshConfig = await writeSshConfig(journal.folder, login, keyFile)
  const ssh = {
    'ssh-host': login.host ?? loopback,
    'ssh-port': String(login.port),
    'ssh-user': user,
    'ssh-key': keyFile,
    'ssh-config': sshConfig
  } as const
  for (const [name, value] of Object.entries(ssh)) output(name as keyof typeof ssh, value)

  const guest = new Guest(session, user, journal.id)
  record.guest = guest
  try {
    let said: string
    if (powered.setup !== undefined) {
      guest.checkSetUp(setup, powered.setup)
      said = powered.setup.output
    } else {
      const startCpus = powered.machine.cpusAtBoot !== undefined
      said = await phases.run('setup', 'Set up the guest', () =>
        guest.setUp({ ...setup, startCpus, clock: Date.now() })
      )
    }
    record.note({ kernel: kernelIn(said) })
  } catch (error) {
    throw qemu.isAlive() ? error : lostGuest(qemu, serial, error)
  }
  return {
    ...{ guest, qemu, serial, image, user, sshConfig, login, keys, workspace },
    ...{ keyFile, machine: powered.machine }
  }
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
