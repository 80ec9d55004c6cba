import { BadInput } from '../report/errors'
import type { Inputs } from './index'
import { environment, Fault } from './readers'

/** Whether this is a step of a workflow, by what it gives every step. */
export function workflowOf(env: Readonly<NodeJS.ProcessEnv>): Inputs['workflow'] {
  if (env['GITHUB_ACTIONS'] !== 'true') return undefined
  const names = ['GITHUB_OUTPUT', 'GITHUB_ENV', 'GITHUB_PATH', 'GITHUB_STEP_SUMMARY']
  return { files: Object.fromEntries(names.flatMap(name => (env[name] ? [[name, env[name]]] : []))) }
}

/**
 * Variables as the input `env` has them, a line each.
 * @throws BadInput for what is none
 */
export function scriptVariables(lines: readonly string[], env: Readonly<NodeJS.ProcessEnv>): Inputs['env'] {
  try {
    return environment(env)(lines.join('\n'))
  } catch (error) {
    throw error instanceof Fault ? new BadInput([`option \`--env\` ${error.message}`]) : error
  }
}
