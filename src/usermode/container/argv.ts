import { posix } from 'node:path'
import { shellCommand, shellQuote } from '../../guest'
import type { Platform } from '../platforms'
import type { EngineName } from './engine'

/** Where a run's files lie in its container. */
export const insideFolder = '/run/pi-qemu'

/** Folder of the host that is seen at a path of the container. */
export interface Bind {
  readonly from: string
  readonly to: string
  readonly readOnly?: boolean
}

export interface ContainerPlan {
  readonly name: string
  /** Names the run. */
  readonly run: string
  readonly image: string
  /** Docker's name; undefined where the engine does not know it of the image. */
  readonly platform: string | undefined
  /** Whether the image is here already. */
  readonly isHere: boolean
  readonly user: string | undefined
  readonly binds: readonly Bind[]
}

/**
 * Arguments that create the container. `--init`: a process 1 that is emulated and dies of a signal would hang for ever. What is
 * the user's own, script and environment, is in files.
 */
export function createArguments({ name, run, image, platform, isHere, user, binds }: ContainerPlan): readonly string[] {
  return [
    ...['create', '--init', '--name', name, '--label', `pi-qemu.run=${run}`, '--pull', isHere ? 'never' : 'missing'],
    ...(platform === undefined ? [] : ['--platform', platform]),
    ...(user === undefined ? [] : ['--user', user]),
    ...binds.flatMap(bind => ['--mount', mountOption(bind)]),
    ...['--entrypoint', 'sh', image, posix.join(insideFolder, 'start')]
  ]
}

/** A bind mount in the engines' words: fields as in a CSV file, so that a path may hold anything. */
export function mountOption({ from, to, readOnly = false }: Bind): string {
  const fields = ['type=bind', `source=${from}`, `target=${to}`, ...(readOnly ? ['readonly'] : [])]
  return fields.map(field => (/[",\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field)).join(',')
}

/** Arguments that make an image of a root file system in a tar archive. */
export function importArguments(engine: EngineName, file: string, platform: string, image: string): readonly string[] {
  const [system = '', architecture = '', variant] = platform.split('/')
  const what =
    engine === 'docker'
      ? ['--platform', platform]
      : ['--os', system, '--arch', architecture, ...(variant === undefined ? [] : ['--variant', variant])]
  return ['import', ...what, file, image]
}

/** What the text of {@link startText} tells of itself, a line each. */
export const told = { started: 'started', machine: 'machine ', directory: 'directory' } as const

export interface StartRequest {
  readonly shell: string | undefined
  readonly env: Readonly<Record<string, string>>
  /** Undefined for the image's own. */
  readonly directory: string | undefined
  /** What the machine may call itself; undefined if any will do. */
  readonly machine: string | undefined
}

/** Run in the container by its `sh`: checks the platform, sets the environment, and becomes the script's shell. */
export function startText({ shell, env, directory, machine }: StartRequest): string {
  const say = (text: string): string => `echo ${text} >> ${posix.join(insideFolder, 'told')}`
  const place = directory === undefined ? undefined : shellQuote(directory)
  return [
    say(told.started),
    ...(machine === undefined
      ? []
      : // No `uname`, no answer.
        [
          `machine=$(uname -m 2>/dev/null) || machine=`,
          `case $machine in '' | ${machine}) ;; *) ${say(`"${told.machine}$machine"`)}; exit 1 ;; esac`,
          'unset machine'
        ]),
    ...(place === undefined ? [] : [`[ -d ${place} ] || { ${say(told.directory)}; exit 1; }`, `cd ${place} || exit`]),
    ...Object.entries(env).map(([name, value]) => `export ${name}=${shellQuote(value)}`),
    shellCommand(shell, posix.join(insideFolder, 'script')),
    ''
  ].join('\n')
}

/** How an emulator's machine calls itself (`uname -m`), as a pattern of the shell; undefined where it is not known. */
export function machineOf({ emulator, name }: Platform): string | undefined {
  if (emulator.name === 'arm') return 'arm*'
  return (
    { 'linux/arm64': 'aarch64', 'linux/amd64': 'x86_64', 'linux/386': 'i?86' }[name] ??
    emulator.name.replace(/^mips.*/, 'mips*').replace('ppc64le', 'ppc64*')
  )
}
