import { cp, mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { collected } from './collect'

/** Names of what is written about a run when it is over. */
const told = { summary: 'summary.md', timings: 'timings.json', failure: 'failure.txt' } as const

export interface FolderContent {
  /** Folder of the run's logs; undefined if it did not come to that. */
  readonly logs: string | undefined
  /** Markdown. */
  readonly summary: string
  /** JSON. */
  readonly timings: string
  /** What went wrong, if something did. */
  readonly failure: string | undefined
}

/** Fills a report folder with what a run leaves: its logs, and what is told of it. What an earlier run left there of that goes. */
export async function fillReport(folder: string, { logs, summary, timings, failure }: FolderContent): Promise<void> {
  await mkdir(folder, { recursive: true })
  // These are not in every report: an old one would tell of this run.
  for (const name of [told.failure, ...Object.values(collected)]) await rm(join(folder, name), { force: true })
  if (logs !== undefined) await cp(logs, folder, { recursive: true })
  await writeFile(join(folder, told.summary), summary)
  await writeFile(join(folder, told.timings), `${timings}\n`)
  if (failure !== undefined) await writeFile(join(folder, told.failure), `${failure}\n`)
}
