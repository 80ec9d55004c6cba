import { findTool, tryTool } from '../../host/exec'
import { HostFailure, type FailureDetails } from '../../report/errors'

/** Engines that can run a container, by the names of their programs; the first that answers is taken. */
export const engineNames = ['docker', 'podman'] as const
export type EngineName = (typeof engineNames)[number]

/** What asking an engine gave: its version, or why there is none; undefined where it is not installed. */
export type EngineAnswer = { readonly version: string } | { readonly silent: string } | undefined

export interface Engine {
  readonly name: EngineName
  readonly version: string
}

/**
 * The engine to use.
 * @param wanted those that will do
 * @throws HostFailure if none is installed, or none answers
 */
export async function findEngine(wanted: readonly EngineName[] = engineNames): Promise<Engine> {
  const answers = await Promise.all(wanted.map(async name => [name, await ask(name)] as const))
  for (const [name, answer] of answers)
    if (answer !== undefined && 'version' in answer) return { name, version: answer.version }
  throw new HostFailure(noEngine(answers))
}

async function ask(name: EngineName): Promise<EngineAnswer> {
  if ((await findTool(name)) === undefined) return undefined
  // Podman has no server unless it is told of one.
  const format = name === 'docker' ? '{{.Server.Version}}' : '{{.Client.Version}}'
  const { code, stdout, stderr } = await tryTool(name, ['version', '--format', format])
  return code === 0 ? { version: stdout.trim() } : { silent: stderr.trim() || stdout.trim() }
}

/** Why there is no engine to be had, in words. */
export function noEngine(answers: readonly (readonly [EngineName, EngineAnswer])[]): FailureDetails {
  const silent = answers.flatMap(([name, answer]) =>
    answer !== undefined && 'silent' in answer ? [{ name, words: answer.silent }] : []
  )
  const [first] = silent
  if (first === undefined) {
    const names = answers.map(([name]) => name)
    return {
      symptom:
        names.length === 1 ? `this host has no ${names.join('')}` : `this host has neither ${names.join(' nor ')}`,
      remedy: `install one: sudo apt-get install docker.io${names.includes('podman') ? ', or podman' : ''}`
    }
  }
  const { name, words } = first
  const row = silences.find(({ pattern }) => pattern.test(words))
  return {
    symptom: `${name} is installed, but its engine does not answer: ${words}`,
    cause: row?.cause,
    remedy: row?.remedy ?? `see what \`${name} info\` says`
  }
}

const silences: readonly { readonly pattern: RegExp; readonly cause: string; readonly remedy: string }[] = [
  {
    pattern: /permission denied/i,
    cause: "this user may not use Docker's socket",
    remedy: 'add the user to the group docker (sudo usermod -aG docker $USER) and log in anew'
  },
  {
    pattern: /cannot connect|is the docker daemon running|no such file|connection refused/i,
    cause: 'the Docker engine is not running, or DOCKER_HOST or the Docker context names another one',
    remedy: 'start it: sudo systemctl start docker'
  }
]
