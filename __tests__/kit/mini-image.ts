import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { terminalLog } from '../../src/report/log'
import { ensureTools } from '../../src/host/tools'
import { buildMini, miniVersion } from '../../src/images/mini/build'
import { kitCache, madeOnce } from './once'

/** The product's own mini image as a file, as somebody would have it who downloaded it: not provisioned. */
export async function miniImage(): Promise<string> {
  return madeOnce(join(kitCache, `mini-arm64-v${miniVersion}.img`), async unfinished => {
    await ensureTools(
      ['mmdebstrap', 'mkfs.vfat', 'mcopy', 'mke2fs', 'debugfs', 'sfdisk', 'cpio', 'depmod'],
      terminalLog()
    )
    const workDir = `${unfinished}.d`
    await mkdir(workDir)
    await buildMini('arm64', unfinished, workDir).finally(() => rm(workDir, { recursive: true, force: true }))
  })
}
