import { existsSync, realpathSync, statSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, isAbsolute, resolve } from 'node:path'
import { homeFolders } from '../host/paths'
import { boardNames, boards, type Board, type BoardName } from '../boards'
import { BadInput } from '../report/errors'
import { definitions, type InputName, type RawInputs } from './definitions'
import * as read from './readers'

export { definitions, listInputs, outputs, type InputName, type OutputName, type RawInputs } from './definitions'
export type { DiskFormat, PortForward } from './readers'

/** Images that are known by name. */
export const builtInImages = ['mini-arm64'] as const

export type ImageRef =
  | { readonly kind: 'built-in'; readonly name: (typeof builtInImages)[number] }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string }

export type SyncMode = 'both' | 'in' | 'out' | 'none'

/** Everything the user asked for, checked. Times in ms, paths absolute. */
export interface Inputs {
  readonly image: ImageRef
  readonly imageSha256: string | undefined
  readonly board: BoardName | undefined
  readonly memoryMiB: number | undefined
  readonly cpus: number | undefined
  readonly run: string | undefined
  readonly shell: string | undefined
  readonly user: string | undefined
  readonly workingDirectory: string | undefined
  readonly env: Readonly<Record<string, string>>
  readonly sync: SyncMode
  readonly syncExclude: readonly string[]
  readonly ports: readonly read.PortForward[]
  readonly append: string | undefined
  readonly kernel: string | undefined
  readonly initrd: string | undefined
  readonly dtb: string | undefined
  readonly qemuArgs: readonly string[]
  readonly provision: 'auto' | 'none'
  readonly sshKey: string | undefined
  readonly cache: 'auto' | 'off' | 'read-only'
  readonly bootTimeout: number
  readonly runTimeout: number | undefined
  readonly keepRunning: boolean
  readonly saveImage: { readonly path: string; readonly format: read.DiskFormat } | undefined
  /** The host folder that `sync` exchanges. */
  readonly workspace: string
}

export interface Surroundings {
  readonly env: Readonly<NodeJS.ProcessEnv>
  /** The workspace; relative paths start here. */
  readonly workspace: string
}

/**
 * Reads all inputs. Nothing else in this project looks at what the user wrote.
 * @throws BadInput that lists every fault at once.
 */
export function parseInputs(raw: RawInputs, { env, workspace }: Surroundings): Inputs {
  const faults: string[] = []

  const get = <T>(name: InputName, parse: (text: string) => T): T | undefined => {
    const text = raw[name] ?? ''
    if (text.trim() === '') return undefined
    try {
      return parse(text)
    } catch (error) {
      if (!(error instanceof read.Fault)) throw error
      faults.push(`input \`${name}\` ${error.message}`)
      return undefined
    }
  }
  const trimmed = (text: string): string => text.trim()
  const file = (text: string): string => existingFile(resolve(workspace, text.trim()))

  const inputs: Inputs = {
    image: get('image', text => imageRef(text.trim(), workspace)) ?? { kind: 'built-in', name: 'mini-arm64' },
    imageSha256: get('image-sha256', text => read.sha256(text.trim())),
    board: get('board', text => read.oneOf(...boardNames)(text.trim())),
    memoryMiB: get('memory', text => read.memory(text.trim())),
    cpus: get('cpus', text => read.count(1, 8)(text.trim())),
    run: get('run', text => text),
    shell: get('shell', trimmed),
    user: get('user', text => read.userName(text.trim())),
    workingDirectory: get('working-directory', trimmed),
    env: get('env', read.environment(env)) ?? {},
    sync: get('sync', text => read.oneOf('both', 'in', 'out', 'none')(text.trim())) ?? 'both',
    syncExclude: get('sync-exclude', read.lines) ?? [],
    ports: get('ports', read.ports) ?? [],
    append: get('append', trimmed),
    kernel: get('kernel', file),
    initrd: get('initrd', file),
    dtb: get('dtb', file),
    qemuArgs: get('qemu-args', read.words) ?? [],
    provision: get('provision', text => read.oneOf('auto', 'none')(text.trim())) ?? 'auto',
    sshKey: get('ssh-key', file),
    cache: get('cache', text => read.oneOf('auto', 'off', 'read-only')(text.trim())) ?? 'auto',
    bootTimeout: get('boot-timeout', text => read.duration(text.trim())) ?? 600_000,
    runTimeout: get('run-timeout', text => read.duration(text.trim())),
    keepRunning: get('keep-running', text => read.truth(text.trim())) ?? false,
    saveImage: get('save-image', text => saveTarget(text.trim(), workspace)),
    workspace
  }
  const known = new Set<string>(definitions.map(({ name }) => name))
  for (const name of Object.keys(raw)) {
    if (!known.has(name)) faults.push(`input \`${name}\` does not exist; valid: ${[...known].join(', ')}`)
  }
  faults.push(...conflicts(inputs, env))
  if (faults.length > 0) throw new BadInput(faults)
  return inputs
}

function imageRef(text: string, base: string): ImageRef {
  if (/^https?:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw new read.Fault(`is no valid URL: ${text}`)
    return { kind: 'url', url: text }
  }
  const name = builtInImages.find(known => known === text)
  if (name !== undefined) return { kind: 'built-in', name }
  const path = resolve(base, text)
  if (!existsSync(path)) {
    throw new read.Fault(
      `is “${text}”, which is neither a file (${path} does not exist) nor a URL nor a built-in name; valid names: ${builtInImages.join(', ')}`
    )
  }
  return { kind: 'file', path: existingFile(path) }
}

function existingFile(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new read.Fault(`names ${path}, which does not exist`)
  if (!stat.isFile()) throw new read.Fault(`names ${path}, which is not a file`)
  if (stat.size === 0) throw new read.Fault(`names ${path}, which is empty`)
  return path
}

function saveTarget(text: string, base: string): { path: string; format: read.DiskFormat } {
  const target = read.imageTarget(isAbsolute(text) ? text : resolve(base, text))
  if (!existsSync(dirname(target.path)))
    throw new read.Fault(`names a folder that does not exist: ${dirname(target.path)}`)
  return target
}

function isSameFile(a: string, b: string): boolean {
  return existsSync(b) && realpathSync(a) === realpathSync(b)
}

/** Faults that concern two inputs, or an input and the machine. */
function conflicts(inputs: Inputs, env: Readonly<NodeJS.ProcessEnv>): readonly string[] {
  const { board: name, image, saveImage, workspace } = inputs
  // Without `board` the first board is taken, which is a Pi.
  const board: Board = boards[name ?? 'raspi3b']
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [
      inputs.memoryMiB !== undefined && !board.sizable,
      `input \`memory\` does not go with board \`${board.name}\`, which has ${board.memoryMiB} MiB; valid with \`board: virt\` only`
    ],
    [
      inputs.cpus !== undefined && !board.sizable,
      `input \`cpus\` does not go with board \`${board.name}\`, which has ${board.cpus}; valid with \`board: virt\` only`
    ],
    [
      inputs.dtb !== undefined && board.deviceTrees.length === 0,
      `input \`dtb\` does not go with board \`${board.name}\`: QEMU makes its device tree`
    ],
    [
      inputs.provision === 'none' && inputs.sshKey === undefined,
      'input `provision` is “none”, so the image does not get the key of this run; give `ssh-key`, a private key that it already accepts'
    ],
    [
      inputs.provision === 'auto' && inputs.sshKey !== undefined,
      'input `ssh-key` goes with `provision: none` only; otherwise a key is made for each run'
    ],
    [
      saveImage !== undefined && inputs.keepRunning,
      'inputs `save-image` and `keep-running` do not go together: the disk is saved once the Pi is switched off'
    ],
    [
      saveImage !== undefined && image.kind === 'file' && isSameFile(image.path, saveImage.path),
      `inputs \`image\` and \`save-image\` name the same file, ${image.kind === 'file' ? image.path : ''}; the image is never written`
    ],
    [
      inputs.sync !== 'none' && ['/', homedir()].includes(resolve(workspace)),
      `input \`sync\` is “${inputs.sync}”, but the workspace is ${workspace}; change to a project's folder, or use \`sync: none\``
    ],
    [
      inputs.sync !== 'none' &&
        resolve(workspace) !== homedir() &&
        homeFolders(env).root.startsWith(`${resolve(workspace)}/`),
      `input \`sync\` is “${inputs.sync}”, but PI_QEMU_HOME (${homeFolders(env).root}) lies in the workspace, and would be sent with it; set it to a folder outside`
    ],
    [
      image.kind === 'built-in' && inputs.imageSha256 !== undefined,
      'input `image-sha256` does not go with a built-in image, which is made here from signed packages'
    ]
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}
