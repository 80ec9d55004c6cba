import { existsSync, readdirSync, realpathSync, statSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import type { Home } from '../host/paths'

/** Folder of a run with the command that later steps have, by the Pi's name. */
export const commandFolder = 'bin'

const isProgram = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true

/**
 * What is wrong with a name for a Pi that stays up: its command must not stand in for a program of the host, nor for that
 * of another Pi of the same job.
 */
export function nameFault(name: string, home: Home, env: Readonly<NodeJS.ProcessEnv>): string | undefined {
  const commands = (env['PATH'] ?? '').split(delimiter).map(folder => join(folder, name))
  const taken = commands.find(isProgram)
  // Without a workflow there is no PATH to find them by.
  const runs = existsSync(home.runs) ? realpathSync(home.runs) : home.runs
  const others = env['GITHUB_ACTIONS'] === 'true' ? [] : ofRuns(runs, name)
  if (others.length > 0 || taken?.startsWith(`${runs}/`) === true)
    return `input \`name\` is “${name}”, and a Pi of that name is up already; give each its own, or end it with \`pi-qemu stop\``
  return taken === undefined
    ? undefined
    : `input \`name\` is “${name}”, which is a program of this host (${taken}), and would be hidden by the Pi's command`
}

function ofRuns(runs: string, name: string): readonly string[] {
  return existsSync(runs)
    ? readdirSync(runs)
        .map(run => join(runs, run, commandFolder, name))
        .filter(isProgram)
    : []
}
