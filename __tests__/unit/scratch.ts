import { spawnSync } from 'node:child_process'
import { mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Where a test file works; gone when its tests are done. */
export interface Scratch {
  readonly root: string
  /** A new, empty folder. */
  fresh(): string
}

/** Makes the folder of a test file; call it once, at the top. */
export function scratchFolder(): Scratch {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'pi-qemu-unit-')))
  afterAll(() => {
    // A test may have closed a folder to its owner, who then cannot empty it.
    spawnSync('chmod', ['-R', 'u+rwX', root])
    rmSync(root, { recursive: true, force: true })
  })
  return { root, fresh: () => mkdtempSync(join(root, 'at-')) }
}
