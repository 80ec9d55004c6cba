import { randomBytes } from 'node:crypto'
import { copyFile, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import type { Board } from './boards'
import type { Saves, SharedCache } from './cache'
import { excludedPatterns } from './disks'
import type { Login } from './guest'
import { hasKvm } from './host/kvm'
import type { Home } from './host/paths'
import { ensureTools } from './host/tools'
import {
  answersWizard,
  genericKernel,
  makeKeys,
  makeOverlay,
  ownChanges,
  privateCopy,
  uefiFor,
  wizardUnit,
  type GenericKernel,
  type PreparedImage,
  type RunKeys
} from './images'
import { loopback, type Inputs } from './inputs'
import type { Journal } from './journal'
import { makeTap } from './network'
import { planMachine, wantsGenericKernel } from './plan'
import { makeDeviceTree, runFiles, type Machine } from './qemu'
import { BadInput } from './report/errors'
import type { Log } from './report/log'
import { excluding, excludingIgnored, makeVolume, workspaceLabel, type Excluded, type Manifest } from './workspace'

export interface RunFilesRequest {
  readonly inputs: Inputs
  readonly prepared: PreparedImage
  readonly user: string
  readonly board: Board
  /** Version of QEMU. */
  readonly qemu: string
  readonly home: Home
  readonly journal: Journal
  readonly log: Log
  readonly shared?: SharedCache | undefined
  readonly saves: Saves
}

/** The workspace's volume, and what was put into it. */
export interface WorkspaceVolume {
  /** On the host and in the guest. */
  readonly path: string
  readonly volume: string
  readonly sent: Manifest
  /** What neither goes nor comes back. */
  readonly excluded: Excluded
}

export interface RunFiles {
  /** With what this run changed in it. */
  readonly image: PreparedImage
  readonly login: Omit<Login, 'port'>
  readonly workspace: WorkspaceVolume | undefined
  readonly machine: Machine
  /** The machine for what cmdline.txt says, where the image's own first boot runs. */
  readonly machineFor: (cmdline: string) => Machine
  /** Private key for logging in. */
  readonly keyFile: string
  readonly keys: RunKeys['slots']
  /** What there is to say about a kernel that is not the image's. */
  readonly notPiKernel: readonly string[]
  /** The kernel in place of the image's, by release and volume of modules. */
  readonly genericKernel: GenericKernel | undefined
  /** Makes the disk of a boot, with the keys on it. */
  readonly makeDisk: () => Promise<void>
}

/** Listening on it is listening on all addresses of the host, {@link loopback} among them. */
const anyAddress = '0.0.0.0'

const workspaceFile = 'workspace.img'

/** Whether the workspace travels on a volume. */
const hasVolume = ({ sync }: Inputs): boolean => sync !== 'none' && sync !== 'live'

/** Makes what belongs to one run, in its folder: device tree, keys, disk, workspace volume. */
export async function makeRunFiles(request: RunFilesRequest): Promise<RunFiles> {
  const { inputs, prepared, user, board, journal, log } = request
  const { folder, logs } = journal
  const generic = wantsGenericKernel(inputs, prepared, board)
    ? await genericKernel(prepared.architecture, request)
    : undefined
  const kvm = await hasKvm()
  const tap = inputs.network === 'tap' ? await makeTap(request) : undefined
  const machineRequest = {
    ...{ inputs, image: prepared, logs, board, genericKernel: generic, kvm, qemu: request.qemu, tap: tap?.device },
    hostCpus: availableParallelism(),
    // A guest that is continued has the same devices in every run.
    volumes:
      hasVolume(inputs) || (inputs.snapshot === 'auto' && inputs.sync === 'none' && board.migratable)
        ? [{ name: 'workspace', file: workspaceFile }]
        : [],
    sharedFolders: inputs.sync === 'live' ? [{ name: workspaceLabel, path: inputs.workspace }] : []
  }
  const { machine, deviceTree } = planMachine({ ...machineRequest, clock: Date.now() })
  if (deviceTree !== undefined) {
    // A tree of the user's own is taken as it is.
    const seed = inputs.dtb === undefined ? randomBytes(64) : undefined
    const notes = await makeDeviceTree({ ...deviceTree, seed, to: join(folder, runFiles.deviceTree) })
    for (const note of notes) log.info(note)
  }
  const { firmware } = machine
  if (firmware !== undefined) {
    await ensureTools([uefiFor(prepared.architecture).tool], log)
    await copyFile(firmware.variables, join(folder, runFiles.uefiVariables))
  }
  if (inputs.password !== undefined && prepared.family === 'mini')
    throw new BadInput([`input \`password\` does not go with this image (${prepared.title}): it takes keys only`])
  const keys = await makeKeys(folder, inputs.password)
  const hash = keys.slots.password?.toString()
  const changes = ownChanges(prepared, { files: inputs.files, user, hash, firstBoot: inputs.firstBoot })
  const image = changes === undefined ? prepared : await privateCopy(prepared, changes, folder, log)
  await writeFile(join(folder, workspaceFile), '')
  const workspace = hasVolume(inputs) ? await makeWorkspace(request, image) : undefined
  const own = inputs.provision === 'auto'
  const keyFile = inputs.sshKey ?? keys.clientKeyFile
  const login: Omit<Login, 'port'> = {
    host: tap?.guest ?? (inputs.listen === anyAddress ? loopback : inputs.listen),
    user,
    privateKey: own ? keys.clientKey : await readFile(keyFile, 'utf8'),
    hostKey: own ? keys.hostPublicKey : undefined
  }
  // Without a password for userconf.txt, a wizard would wait for an answer that never comes.
  const hasWizard = own && (hash === undefined || !answersWizard(image, user))
  const machineFor = (cmdline: string): Machine => {
    const { machine: next } = planMachine({ ...machineRequest, clock: Date.now(), cmdline })
    const { kernelArguments } = next
    return hasWizard ? { ...next, kernelArguments: [...kernelArguments, `systemd.mask=${wizardUnit}`] } : next
  }
  const notPiKernel =
    generic === undefined
      ? []
      : [`the kernel is Debian's ${generic.version}, as the image has none with virtio drivers`]
  if (machine.cpusAtBoot !== undefined)
    log.info(
      `CPUs: ${machine.cpusAtBoot} of ${machine.cpus} boot, as this host has no more; the others start before the script`
    )
  if (machine.diskPlace === 'usb') log.info('Disk: on USB storage (storage: sd puts it into the card slot)')
  if (machine.accelerator === 'kvm') log.info("KVM: the guest runs on this host's own CPU")
  return {
    ...{ image, login, workspace, machine, machineFor, keyFile, keys: keys.slots, notPiKernel, genericKernel: generic },
    makeDisk: () => makeOverlay(image, keys, folder, runFiles.disk)
  }
}

async function makeWorkspace(
  { inputs, user, journal: { folder }, log }: RunFilesRequest,
  image: PreparedImage
): Promise<WorkspaceVolume> {
  const { uid = 0, gid = 0 } = image.users[user] ?? {}
  const volume = join(folder, workspaceFile)
  const patterns = excludedPatterns(inputs)
  const excluded = inputs.syncGitignore ? await excludingIgnored(inputs.workspace, patterns) : excluding(patterns)
  const sent = await makeVolume({
    workspace: inputs.sync === 'out' ? undefined : inputs.workspace,
    excluded,
    owner: { uid, gid },
    file: volume,
    runFolder: folder
  })
  log.info(`Workspace: ${sent.size} files and folders`)
  return { path: inputs.workspace, volume, sent, excluded }
}
