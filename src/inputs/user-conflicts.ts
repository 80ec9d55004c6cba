import { containerConflicts, onlyWithEngine } from './container-conflicts'
import { givenForDebugging } from './debug-conflicts'
import type { Inputs } from './index'

type Given = readonly (readonly [input: string, given: boolean])[]

const named = (rows: Given): string =>
  rows
    .filter(([, given]) => given)
    .map(([input]) => `\`${input}\``)
    .join(', ')

/** What only an emulated board, or an image's own boot, has a use for. */
const ofBoards = (inputs: Inputs): Given => [
  ['board', inputs.board !== undefined],
  ['cpu', inputs.cpu !== undefined],
  ['memory', inputs.memoryMiB !== undefined],
  ['cpus', inputs.cpus !== undefined],
  ['clock', inputs.clock !== undefined],
  ['firmware', inputs.firmware !== undefined],
  ['prepare-board', inputs.prepareBoard !== undefined],
  ['append', inputs.append !== undefined],
  ['kernel', inputs.kernel !== undefined],
  ['initrd', inputs.initrd !== undefined],
  ['dtb', inputs.dtb !== undefined],
  ['overlays', inputs.overlays.length > 0],
  ['disks', inputs.disks.length > 0],
  ['expect', inputs.expect !== undefined],
  ['qemu-args', inputs.qemuArgs.length > 0],
  ['ports', inputs.ports.length > 0],
  ['network', inputs.network !== 'user'],
  ['ssh-port', inputs.sshPort !== undefined],
  ['authorized-keys', inputs.authorizedKeys.length > 0],
  ['password', inputs.password !== undefined],
  ['first-boot', inputs.firstBoot === 'run'],
  ['ssh-key', inputs.sshKey !== undefined],
  ['storage', inputs.storage !== 'auto'],
  ['keep-running', inputs.keepRunning],
  ['boot-analysis', inputs.bootAnalysis],
  ['screenshot', inputs.screenshot],
  ...givenForDebugging(inputs)
]

/** What only user mode has a use for. */
const ofUserMode = (inputs: Inputs): Given => [
  ['platforms', inputs.platforms !== undefined],
  ['qemu-cpu', Object.keys(inputs.qemuCpu).length > 0],
  ['setuid', inputs.setuid],
  ['sysroot', inputs.sysroot !== undefined]
]

/** Faults of inputs in `mode: system`. */
export function onlyInUserMode(inputs: Inputs): readonly string[] {
  const given = [named(ofUserMode(inputs)), ...onlyWithEngine(inputs)].filter(name => name !== '').join(', ')
  return given === '' ? [] : [`${given}: for \`mode: user\`, and the mode is “system”`]
}

/** Faults of inputs in `mode: user`. */
export function userConflicts(inputs: Inputs): readonly string[] {
  const { image, sync, prepare, saveImage } = inputs
  const given = named(ofBoards(inputs))
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [given !== '', `${given}: for an emulated board, and \`mode: user\` has none`],
    [
      image.kind === 'none',
      'input `image` is “none”, which is for `mode: system`; user mode runs programs of an image'
    ],
    [
      inputs.syncExclude.length > 0 || inputs.syncGitignore,
      `input \`${inputs.syncGitignore ? 'sync-gitignore' : 'sync-exclude'}\` does not go with \`mode: user\`: the workspace is not copied, it is the folder itself`
    ],
    [
      prepare !== undefined && inputs.provision === 'none',
      'input `prepare` changes the image, which `provision: none` forbids'
    ],
    [
      (inputs.hostname !== undefined || inputs.files.length > 0) && inputs.provision === 'none',
      `input \`${inputs.hostname === undefined ? 'files' : 'hostname'}\` changes the image, which \`provision: none\` forbids`
    ],
    [
      inputs.copyOut.length > 0 && sync === 'none',
      'input `copy-out` brings files into the workspace, which `sync: none` leaves alone'
    ],
    [
      inputs.sysroot !== undefined &&
        (inputs.run !== undefined || saveImage !== undefined || inputs.build !== undefined),
      'input `sysroot` is for programs that later steps run on the host; a script of `run` has the libraries of its image'
    ],
    [
      saveImage === undefined && inputs.run === undefined && inputs.build === undefined && prepare !== undefined,
      'input `prepare` is for `run` or `save-image`, and there is neither'
    ]
  ]
  return [...rows.filter(([wrong]) => wrong).map(([, fault]) => fault), ...containerConflicts(inputs)]
}
