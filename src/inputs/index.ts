import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { boardNames } from '../boards'
import { readPlatforms, type WantedPlatforms } from '../usermode/platforms'
import { BadInput } from '../report/errors'
import { conflicts } from './conflicts'
import { building, containerRef, existingFolder, type Get } from './containers'
import { debugging } from './debugging'
import { definitions, type RawInputs } from './definitions'
import { disks, existingFile, filesToPlace, reportFolder, saveTarget } from './files'
import { imageRef } from './images'
import { publicKeys } from './public-keys'
import * as read from './readers'
import type { Inputs, QemuChoice, Sysroot } from './types'
import { workflowOf } from './workflow'

export { definitions, listInputs, type InputName, type RawInputs } from './definitions'
export type { Building, ContainerRef } from './containers'
export { vncBase, type Debugging, type GdbStub } from './debugging'
export { outputs, type OutputName } from './outputs'
export type { Inputs, QemuChoice, SyncMode, Sysroot } from './types'
export type { DiskFormat, PortForward } from './readers'

export { architectureOf, builtInImages, debianSuites, type ImageRef } from './images'
export { commandFolder } from './pi-name'
export { scriptVariables, workflowOf } from './workflow'
export { copyOutFolder, type ExtraDisk, type FileToPlace } from './files'

/** The list of images that Raspberry Pi's own imager reads. */
export const officialCatalogue = 'https://downloads.raspberrypi.com/os_list_imagingutility_v4.json'

/** Where everything listens unless the user of a terminal says otherwise. */
export const loopback = '127.0.0.1'

/** Bytes. */
const defaultCacheSize = 20 * 1024 ** 3

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

  const get: Get = (name, parse) => {
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
    mode: get('mode', text => read.oneOf('system', 'user')(text.trim())) ?? 'system',
    image: get('image', text => imageRef(text.trim(), workspace)) ?? {
      kind: 'mini',
      name: 'mini-arm64',
      architecture: 'arm64'
    },
    imageSha256: get('image-sha256', text => read.sha256(text.trim())),
    catalogUrl: get('catalog-url', text => read.webAddress(text.trim())) ?? officialCatalogue,
    board: get('board', text => read.oneOf(...boardNames)(text.trim())),
    cpu: get('cpu', text => read.cpuModel(text.trim())),
    memoryMiB: get('memory', text => read.memory(text.trim())),
    cpus: get('cpus', text => read.count(1, 8)(text.trim())),
    clock: get('clock', text => read.oneOf('host', 'icount')(text.trim())),
    firmware: get('firmware', text => read.oneOf('uefi')(text.trim())),
    qemu: get('qemu', text => qemuChoice(text.trim(), workspace)) ?? { kind: 'auto' },
    platforms: get('platforms', platformList),
    qemuCpu: get('qemu-cpu', read.cpuModels) ?? {},
    sysroot: get('sysroot', text => sysroot(text.trim(), workspace)),
    setuid: get('setuid', text => read.truth(text.trim())) ?? false,
    container: get('container', text => containerRef(text.trim(), workspace)),
    build: get('build', text => existingFolder(resolve(workspace, text.trim()))),
    building: building(get, { env, workspace }),
    run: get('run', text => text),
    prepare: get('prepare', text => text),
    prepareBoard: get('prepare-board', text => read.oneOf(...boardNames)(text.trim())),
    shell: get('shell', trimmed),
    user: get('user', text => read.userName(text.trim())),
    workingDirectory: get('working-directory', trimmed),
    env: get('env', read.environment(env)) ?? {},
    sync: get('sync', text => read.oneOf('both', 'in', 'out', 'live', 'none')(text.trim())) ?? 'both',
    syncExclude: get('sync-exclude', read.lines) ?? [],
    syncGitignore: get('sync-gitignore', text => read.truth(text.trim())) ?? false,
    copyOut: get('copy-out', read.guestPatterns) ?? [],
    ports: get('ports', read.ports) ?? [],
    network: get('network', text => read.oneOf('user', 'tap')(text.trim())) ?? 'user',
    sshPort: get('ssh-port', text => read.count(1, 65_535)(text.trim())),
    authorizedKeys: get('authorized-keys', text => publicKeys(file(text))) ?? [],
    listen: loopback,
    append: get('append', trimmed),
    kernel: get('kernel', file),
    initrd: get('initrd', file),
    dtb: get('dtb', file),
    overlays: get('overlays', read.lines) ?? [],
    disks: get('disks', disks(workspace)) ?? [],
    expect: get('expect', text => read.pattern(text.trim())),
    qemuArgs: get('qemu-args', read.words) ?? [],
    provision: get('provision', text => read.oneOf('auto', 'none')(text.trim())) ?? 'auto',
    password: get('password', read.password),
    hostname: get('hostname', text => read.hostName(text.trim())),
    firstBoot: get('first-boot', text => read.oneOf('skip', 'run')(text.trim())) ?? 'skip',
    diskSize: get('disk-size', text => read.diskSize(text.trim())),
    files: get('files', filesToPlace(workspace)) ?? [],
    sshKey: get('ssh-key', file),
    cache: get('cache', text => read.oneOf('auto', 'off', 'read-only')(text.trim())) ?? 'auto',
    cacheKeySuffix: get('cache-key-suffix', trimmed),
    cacheMaxSize: get('cache-max-size', text => read.diskSize(text.trim())) ?? defaultCacheSize,
    snapshot: get('snapshot', text => read.oneOf('auto', 'off')(text.trim())) ?? 'auto',
    boot: get('boot', text => read.oneOf('fast', 'full')(text.trim())) ?? 'fast',
    storage: get('storage', text => read.oneOf('auto', 'sd', 'usb')(text.trim())) ?? 'auto',
    bootTimeout: get('boot-timeout', text => read.duration(text.trim())) ?? 600_000,
    runTimeout: get('run-timeout', text => read.duration(text.trim())),
    keepRunning: get('keep-running', text => read.truth(text.trim())) ?? false,
    name: get('name', text => read.piName(text.trim())) ?? 'pi',
    reportDir: get('report-dir', text => reportFolder(text.trim(), workspace)),
    bootAnalysis: get('boot-analysis', text => read.truth(text.trim())) ?? false,
    screenshot: get('screenshot', text => read.truth(text.trim())) ?? false,
    saveImage: get('save-image', text => saveTarget(text.trim(), workspace)),
    debugging: debugging(get),
    workspace,
    workflow: workflowOf(env)
  }
  const known = new Set<string>(definitions.map(({ name }) => name))
  for (const name of Object.keys(raw)) {
    if (!known.has(name)) faults.push(`input \`${name}\` does not exist; valid: ${[...known].join(', ')}`)
  }
  faults.push(...conflicts(inputs, env))
  if (faults.length > 0) throw new BadInput(faults)
  return inputs
}

function sysroot(text: string, base: string): Sysroot {
  const path = resolve(base, text)
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return { kind: 'folder', path }
  const image = imageRef(text, base)
  if (image.kind === 'none') throw new read.Fault('is “none”; valid: a folder, or an image as `image` takes it')
  return { kind: 'image', image }
}

function platformList(text: string): WantedPlatforms {
  const list = readPlatforms(text)
  if (typeof list === 'string') throw new read.Fault(list)
  return list
}

function qemuChoice(text: string, base: string): QemuChoice {
  if (/^(auto|host|private)$/.test(text)) return { kind: text as 'auto' | 'host' | 'private' }
  if (!text.includes('/')) throw new read.Fault(`is “${text}”; valid: auto, host, private, or the path of a program`)
  return { kind: 'path', path: existingFile(resolve(base, text)) }
}
