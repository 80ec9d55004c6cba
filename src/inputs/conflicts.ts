import { existsSync, lstatSync, realpathSync } from 'node:fs'
import { homedir } from 'node:os'
import { join, resolve } from 'node:path'
import { homeFolders } from '../host/paths'
import { boardNames, boards, boardsFor, defaultBoard, type Board } from '../boards'
import { debugConflicts } from './debug-conflicts'
import { copyOutFolder } from './files'
import { architectureOf } from './images'
import type { Inputs } from './index'
import { networkConflicts } from './network-conflicts'
import { nameFault } from './pi-name'
import { onlyInUserMode, userConflicts } from './user-conflicts'

const isNoFolder = (path: string): boolean => lstatSync(path, { throwIfNoEntry: false })?.isDirectory() === false

const isSameFile = (a: string, b: string): boolean => existsSync(b) && realpathSync(a) === realpathSync(b)

/** Faults that concern two inputs, or an input and the machine; all that can be known before any work. */
export function conflicts(inputs: Inputs, env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const own =
    inputs.mode === 'user'
      ? userConflicts(inputs)
      : [...onlyInUserMode(inputs), ...boardConflicts(inputs), ...debugConflicts(inputs)]
  const name = inputs.keepRunning ? nameFault(inputs.name, homeFolders(env), env) : undefined
  return [...own, ...(name === undefined ? [] : [name]), ...commonConflicts(inputs, env)]
}

/** Of the inputs for an emulated board. */
function boardConflicts(inputs: Inputs): readonly string[] {
  const { board: name, image, saveImage } = inputs
  const architecture = architectureOf(image)
  // Without `board` a Pi is taken, whichever it is.
  const board: Board = boards[name ?? (architecture && defaultBoard(architecture)) ?? boardNames[0]]
  const variant = architecture && board.architectures[architecture]
  const sizable = Object.values(boards).flatMap(row => (row.sizable ? [`\`board: ${row.name}\``] : []))
  const only = (input: string, has: string | number): string =>
    `input \`${input}\` does not go with board \`${board.name}\`, which has ${has}; valid with ${sizable.join(', ')} only`
  const bare = image.kind === 'none'
  const meaningless = Object.entries({
    shell: inputs.shell,
    user: inputs.user,
    'working-directory': inputs.workingDirectory,
    'disk-size': inputs.diskSize
  }).flatMap(([input, given]) => (given === undefined ? [] : [input]))
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [
      architecture !== undefined && variant === undefined,
      `input \`board\` is “${board.name}”, which runs no ${architecture ?? ''} systems, and the image is one; boards that do: ${architecture === undefined ? '' : boardsFor(architecture).join(', ')}`
    ],
    [inputs.memoryMiB !== undefined && !board.sizable, only('memory', `${board.memoryMiB} MiB`)],
    [inputs.cpus !== undefined && !board.sizable, only('cpus', board.cpus)],
    [inputs.cpu !== undefined && !board.sizable, only('cpu', board.soc)],
    [
      inputs.firmware !== undefined && board.name !== 'virt',
      `input \`firmware\` does not go with board \`${board.name}\`, whose boot firmware QEMU does not emulate; valid with \`board: virt\` only`
    ],
    [
      inputs.firmware !== undefined && inputs.prepareBoard !== undefined && inputs.prepareBoard !== 'virt',
      `input \`prepare-board\` is “${inputs.prepareBoard ?? ''}”, whose boot firmware QEMU does not emulate; with \`firmware\` valid: virt`
    ],
    [
      inputs.firmware !== undefined && inputs.firstBoot === 'run',
      'inputs `firmware` and `first-boot: run` do not go together: it is for the cmdline.txt of Raspberry Pi images'
    ],
    [
      inputs.firmware !== undefined && inputs.kernel !== undefined,
      'inputs `firmware` and `kernel` do not go together: with UEFI the image starts its own kernel'
    ],
    [
      inputs.firmware !== undefined && (inputs.append !== undefined || inputs.initrd !== undefined),
      `inputs \`firmware\` and \`${inputs.append === undefined ? 'initrd' : 'append'}\` do not go together: with UEFI the image's boot loader has its own`
    ],
    [
      inputs.dtb !== undefined && !board.needsDeviceTree,
      `input \`dtb\` does not go with board \`${board.name}\`: QEMU makes its device tree`
    ],
    [
      inputs.overlays.length > 0 && !board.needsDeviceTree,
      `input \`overlays\` does not go with board \`${board.name}\`: QEMU makes its device tree`
    ],
    [bare && inputs.kernel === undefined, 'input `image` is “none”; then `kernel` is needed'],
    [bare && name === undefined, 'input `image` is “none”; then `board` is needed'],
    [
      bare && (inputs.run !== undefined || inputs.keepRunning || saveImage !== undefined),
      'inputs `run`, `keep-running` and `save-image` need an image; with `image: none` the result is the serial output (see `expect`)'
    ],
    [
      bare && meaningless.length > 0,
      `${meaningless.map(input => `\`${input}\``).join(', ')}: for a script or an image, and with \`image: none\` there is neither`
    ],
    [
      inputs.sync === 'live' && board.name !== 'virt',
      `input \`sync\` is “live”, which board \`${board.name}\` has no device for; valid with \`board: virt\` only`
    ],
    [
      inputs.sync === 'live' && (inputs.syncExclude.length > 0 || inputs.syncGitignore),
      `inputs \`${inputs.syncGitignore ? 'sync-gitignore' : 'sync-exclude'}\` and \`sync: live\` do not go together: the folder itself is shared, with all that is in it`
    ],
    [
      inputs.sync === 'live' && inputs.copyOut.length > 0,
      'inputs `copy-out` and `sync: live` do not go together: the script can copy into the workspace itself'
    ],
    [
      inputs.prepareBoard !== undefined && inputs.prepare === undefined,
      'input `prepare-board` is for `prepare`, and there is none'
    ],
    [
      inputs.prepare !== undefined && (bare || inputs.provision === 'none'),
      `input \`prepare\` changes the image, which ${bare ? 'there is none of' : '`provision: none` forbids'}`
    ],
    [
      inputs.prepare !== undefined && inputs.firstBoot === 'run',
      'inputs `prepare` and `first-boot: run` do not go together: the first boot would be that of `prepare`, and none of the run'
    ],
    [
      inputs.prepareBoard !== undefined &&
        architecture !== undefined &&
        boards[inputs.prepareBoard].architectures[architecture] === undefined,
      `input \`prepare-board\` is “${inputs.prepareBoard ?? ''}”, which runs no ${architecture ?? ''} systems, and the image is one; boards that do: ${architecture === undefined ? '' : boardsFor(architecture).join(', ')}`
    ],
    [
      inputs.storage !== 'auto' && board.disk !== 'sd',
      `input \`storage\` does not go with board \`${board.name}\`, which has neither a card slot nor needs USB; valid on a Pi only`
    ],
    [
      inputs.copyOut.length > 0 && (bare || inputs.sync === 'none'),
      `input \`copy-out\` brings files into the workspace, which ${bare ? 'a bare kernel' : '`sync: none`'} leaves alone`
    ],
    ...[...diskFaults(inputs), ...networkConflicts(inputs)].map(fault => [true, fault] as const),
    [!bare && inputs.expect !== undefined, 'input `expect` goes with `image: none` only; a script has its exit status'],
    [
      board.kernelFromUser && inputs.kernel === undefined,
      `input \`board\` is “${board.name}”, which needs \`kernel\`: no image brings one for it`
    ],
    [
      inputs.provision === 'none' && inputs.sshKey === undefined && !bare,
      'input `provision` is “none”, so the image does not get the key of this run; give `ssh-key`, a private key that it already accepts'
    ],
    [
      inputs.provision === 'auto' && inputs.sshKey !== undefined,
      'input `ssh-key` goes with `provision: none` only; otherwise a key is made for each run'
    ],
    ...(
      [
        ['password', inputs.password !== undefined],
        ['hostname', inputs.hostname !== undefined],
        ['files', inputs.files.length > 0],
        ['authorized-keys', inputs.authorizedKeys.length > 0]
      ] as const
    ).map(
      ([input, given]) =>
        [
          given && (inputs.provision === 'none' || bare),
          `input \`${input}\` changes the image, which ${bare ? 'there is none of' : '`provision: none` forbids'}`
        ] as const
    ),
    [bare && inputs.bootAnalysis, 'input `boot-analysis` asks systemd about the boot, and a bare kernel has none'],
    [
      saveImage !== undefined && inputs.keepRunning,
      'inputs `save-image` and `keep-running` do not go together: the disk is saved once the Pi is switched off'
    ]
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}

/** Of the inputs for both modes. */
function commonConflicts(inputs: Inputs, env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const { image, saveImage, workspace } = inputs
  // Handlers alone have no use for it.
  const isUsed = image.kind !== 'none' && (inputs.mode === 'system' || inputs.run !== undefined)
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [
      inputs.copyOut.length > 0 &&
        ['both', 'in', 'out'].includes(inputs.sync) &&
        isNoFolder(join(workspace, copyOutFolder)),
      `input \`copy-out\` fills the folder ${copyOutFolder} of the workspace, which has something else of that name`
    ],
    [
      saveImage !== undefined && image.kind === 'file' && isSameFile(image.path, saveImage.path),
      `inputs \`image\` and \`save-image\` name the same file, ${image.kind === 'file' ? image.path : ''}; the image is never written`
    ],
    [
      inputs.sync !== 'none' && isUsed && ['/', homedir()].includes(resolve(workspace)),
      `input \`sync\` is “${inputs.sync}”, but the workspace is ${workspace}; change to a project's folder, or use \`sync: none\``
    ],
    [
      inputs.sync !== 'none' &&
        isUsed &&
        resolve(workspace) !== homedir() &&
        homeFolders(env).root.startsWith(`${resolve(workspace)}/`),
      `input \`sync\` is “${inputs.sync}”, but PI_QEMU_HOME (${homeFolders(env).root}) lies in the workspace, and would be sent with it; set it to a folder outside`
    ],
    [
      inputs.reportDir === undefined && (inputs.bootAnalysis || inputs.screenshot),
      `input \`${inputs.bootAnalysis ? 'boot-analysis' : 'screenshot'}\` adds to a report, and there is none; give \`report-dir\``
    ],
    [
      image.kind !== 'file' && image.kind !== 'url' && inputs.imageSha256 !== undefined,
      'input `image-sha256` goes with a file or a URL; an image with a name is verified by itself'
    ]
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}

/** A disk is the guest's alone, and never the image, which is not written. */
function diskFaults({ disks, image, saveImage }: Inputs): readonly string[] {
  const paths = disks.map(({ path }) => realpathSync(path))
  const twice = disks.filter((_, at) => paths.indexOf(paths[at] ?? '') < at)
  const own = image.kind === 'file' ? disks.filter(({ path }) => isSameFile(image.path, path)) : []
  const target = saveImage === undefined ? [] : disks.filter(({ path }) => isSameFile(path, saveImage.path))
  return [
    ...twice.map(({ path }) => `input \`disks\` names ${path} twice`),
    ...own.map(({ path }) => `input \`disks\` names ${path}, which is the image: that is never written; give a copy`),
    ...target.map(({ path }) => `inputs \`disks\` and \`save-image\` name the same file, ${path}`)
  ]
}
