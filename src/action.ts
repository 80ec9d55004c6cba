import * as core from '@actions/core'
import { actionsCache } from './cache/actions-cache'
import { execute } from './execute'
import { definitions, type RawInputs } from './inputs'
import { actionLog } from './report/log'
import { writeSummary } from './report/summary'

/** The action's main step. */
export async function main(): Promise<void> {
  const raw = Object.fromEntries(
    definitions.map(({ name }) => [name, core.getInput(name, { trimWhitespace: false })])
  ) as RawInputs
  // Only here, and not in what a terminal uses: there it would be printed.
  if (raw.password) core.setSecret(raw.password)
  delete process.env['INPUT_PASSWORD'] // no program that is started from now on needs it
  const outputs = new Map<string, string>()
  const report = await execute({
    raw,
    env: process.env,
    workspace: process.env['GITHUB_WORKSPACE'] ?? process.cwd(),
    log: actionLog,
    // The logs are for later steps, such as an upload; post removes them.
    keepLogs: 'always',
    hasPost: true,
    shared: actionsCache,
    output: (name, value) => {
      outputs.set(name, value)
      core.setOutput(name, value)
    }
  })
  if (report.outcome === 'script-failed' && report.failure === undefined) {
    core.error(
      report.verdict ??
        (report.signal === undefined
          ? `The script ended with status ${report.exitCode}`
          : `The script was killed by SIG${report.signal}`)
    )
  } else if (report.outcome === 'timeout' && report.failure === undefined) {
    core.error('The script ran longer than `run-timeout`, and was ended')
  }
  if (report.outcome === 'success' && report.verdict !== undefined) core.info(report.verdict)
  await writeSummary(report, outputs).catch((error: unknown) => {
    core.debug(String(error))
  })
  // Not by itself: a cache that never answers would hold the process.
  process.exit(report.exitCode)
}
