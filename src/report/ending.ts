import type { Report } from '../execute'

type Ended = Pick<Report, 'outcome' | 'exitCode' | 'signal' | 'verdict' | 'failure' | 'hint'>

/** What there is to say of a run that did not end well; undefined of one that did. */
export function whatWentWrong({ outcome, exitCode, signal, verdict, failure, hint }: Ended): string | undefined {
  if (failure !== undefined) return failure
  if (outcome === 'success') return undefined
  const how =
    outcome === 'timeout' ? 'The script ran longer than `run-timeout`, and was ended' : scriptEnd(exitCode, signal)
  return [verdict ?? how, hint].filter(text => text !== undefined).join('\n')
}

function scriptEnd(exitCode: number, signal: string | undefined): string {
  return signal === undefined ? `The script ended with status ${exitCode}` : `The script was killed by SIG${signal}`
}
