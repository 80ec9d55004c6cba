import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { kitCache, madeOnce } from './once'
import { run } from './run'

/** The path of a Node 24 binary: what GitHub runs the action with. Installed once per machine, outside the repository. */
export async function node24(): Promise<string> {
  const folder = await madeOnce(join(kitCache, 'node24'), async unfinished => {
    await mkdir(unfinished, { recursive: true })
    // The package fetches its binary in an install script, which the repository's .npmrc turns off.
    await run(
      'npm',
      ['install', '--prefix', unfinished, '--ignore-scripts=false', '--no-audit', '--no-fund', 'node@24'],
      {
        cwd: unfinished
      }
    )
  })
  return join(folder, 'node_modules/node/bin/node')
}
