import * as core from '@actions/core'
import { Journal, undo } from './journal'
import { actionLog } from './report/log'

/** The action's post step: whatever main left, however it ended. Never fails the job. */
async function post(): Promise<void> {
  const folder = Journal.fromState()
  if (folder === undefined) core.info('Nothing to tear down')
  else if (await undo(folder, actionLog)) core.info('Torn down')
}

void post()
