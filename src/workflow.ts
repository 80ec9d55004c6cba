import { appendFile, chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Architecture } from './boards'
import type { Inputs } from './inputs'
import type { Log } from './report/log'

/** Files by which a step tells its job something, with their names where the script runs. */
export const commandFiles = {
  GITHUB_OUTPUT: 'github-output',
  GITHUB_ENV: 'github-env',
  GITHUB_PATH: 'github-path',
  GITHUB_STEP_SUMMARY: 'github-step-summary'
} as const
export type CommandFile = keyof typeof commandFiles

/** What a script wrote into them. */
export type Told = Readonly<Partial<Record<CommandFile, string>>>

/** What GitHub calls the architecture of a runner, by that of its programs. */
const runnerArchitecture: Readonly<Record<string, string>> = {
  ...({ arm64: 'ARM64', armhf: 'ARM', armel: 'ARM' } satisfies Readonly<Record<Architecture, string>>),
  ...{ 'linux/arm64': 'ARM64', 'linux/arm/v7': 'ARM', 'linux/arm/v6': 'ARM', 'linux/arm/v5': 'ARM' }
}

/**
 * The environment of a script: what the user gives it, and in a workflow what every step has. The files are in `folder` of
 * the place where it runs; an architecture is Debian's name, or a platform.
 */
export function scriptEnvironment(
  { env, workflow, sync, workspace }: Pick<Inputs, 'env' | 'workflow' | 'sync' | 'workspace'>,
  architecture: string,
  folder: string
): Readonly<Record<string, string>> {
  if (workflow === undefined) return env
  const files = Object.entries(commandFiles).map(([name, file]) => [name, `${folder}/${file}`] as const)
  return {
    ...{ CI: 'true', GITHUB_ACTIONS: 'true', RUNNER_OS: 'Linux' },
    RUNNER_ARCH: runnerArchitecture[architecture] ?? architecture,
    ...(sync !== 'none' && { GITHUB_WORKSPACE: workspace }),
    ...Object.fromEntries(files),
    ...env
  }
}

/** Shell lines, for where the script runs, that make the files in a folder. */
export function makeText(folder: string): string {
  return `: | tee ${Object.values(commandFiles)
    .map(name => `${folder}/${name}`)
    .join(' ')}`
}

/** Shell lines that print the files: a line each, in base64, since they may hold anything. */
export function printText(folder: string): string {
  return Object.values(commandFiles)
    .map(name => `echo "${name} $(base64 < ${folder}/${name} 2>/dev/null | tr -d '\\n')"`)
    .join('\n')
}

/** What {@link printText} printed. */
export function readPrinted(stdout: string): Told {
  const lines = new Map(stdout.split('\n').map(line => [line.split(' ')[0], line.split(' ')[1] ?? '']))
  return Object.fromEntries(
    Object.entries(commandFiles).map(([name, file]) => [name, Buffer.from(lines.get(file) ?? '', 'base64').toString()])
  )
}

/** Where a folder of this host with the files appears, in a root file system or a container. */
export const toldInside = '/run/pi-qemu-out'

/** Makes the files in a new folder of this host, for whoever runs the script. */
export async function makeTold(folder: string): Promise<void> {
  await mkdir(folder)
  for (const name of Object.values(commandFiles)) {
    await writeFile(join(folder, name), '')
    await chmod(join(folder, name), 0o666)
  }
  await chmod(folder, 0o777)
}

/** What is in the files of such a folder. */
export async function readTold(folder: string): Promise<Told> {
  const texts = Object.entries(commandFiles).map(
    async ([name, file]) => [name, await readFile(join(folder, file), 'utf8').catch(() => '')] as const
  )
  return Object.fromEntries(await Promise.all(texts))
}

/** Hands what a script told on to the job. Folders for PATH have to be in the workspace: no others are on this host. */
export async function tellJob(
  told: Told,
  { workflow, workspace, sync }: Pick<Inputs, 'workflow' | 'workspace' | 'sync'>,
  log: Log
): Promise<void> {
  for (const [name, text = ''] of Object.entries(told) as readonly (readonly [CommandFile, string | undefined])[]) {
    const file = workflow?.files[name]
    if (file === undefined || text.trim() === '') continue
    const lines = name === 'GITHUB_PATH' ? pathsOnHost(text, sync === 'none' ? undefined : workspace, log) : text
    if (lines !== '') await appendFile(file, lines.endsWith('\n') ? lines : `${lines}\n`)
  }
}

function pathsOnHost(text: string, workspace: string | undefined, log: Log): string {
  const paths = text.split(/\r?\n/).filter(line => line.trim() !== '')
  const isHere = (path: string): boolean =>
    workspace !== undefined &&
    (path === workspace || path.startsWith(`${workspace}/`)) &&
    !path.split('/').includes('..')
  for (const path of paths.filter(one => !isHere(one)))
    log.warn(`GITHUB_PATH: ${path} is not in the workspace, and so not on this host; it is left out`)
  return paths.filter(isHere).join('\n')
}
