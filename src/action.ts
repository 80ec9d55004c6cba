import * as core from '@actions/core'
import { actionsCache } from './cache/actions-cache'
import { execute } from './execute'
import { definitions, type RawInputs } from './inputs'
import { whatWentWrong } from './report/ending'
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
      core.setOutput(name, value)
    }
  })
  // A failure of our own was told where it happened.
  const wrong = report.failure === undefined ? whatWentWrong(report) : undefined
  if (wrong !== undefined) core.error(wrong)
  if (report.outcome === 'success' && report.verdict !== undefined) core.info(report.verdict)
  await writeSummary(report.summary).catch((error: unknown) => {
    core.debug(String(error))
  })
  // Not by itself: a cache that never answers would hold the process.
  process.exit(report.exitCode)
}
