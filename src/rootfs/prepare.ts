import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tool } from '../host/exec'
import { sealImage, type PreparedImage } from '../images'
import type { Inputs } from '../inputs'
import type { Preparer } from '../layers'
import { checkPrepare } from '../prepare'
import { OutputTail } from '../report/hint'
import { lineLog } from '../report/log'
import { ofImage, root, type Emulation } from './place'
import { inRootfs } from './script'

/** What runs `prepare` in an image's root file system, on a copy of its disk. */
export function rootfsPreparer({ runTimeout }: Inputs, emulationFor: (image: PreparedImage) => Emulation): Preparer {
  return {
    family: 'user mode',
    machine: () => Promise.resolve([]),
    run: async ({ base, script, request, provenance }, context) => {
      const { phases, log } = context
      const journal = context.journal.part('prepare')
      const disk = join(journal.folder, 'disk.img')
      await phases.run('prepare', 'Run `prepare` in the root file system', async () => {
        await copyDisk(base.disk, disk)
        const at = join(journal.folder, 'rootfs')
        await mkdir(at)
        const lines = lineLog(log)
        const said = new OutputTail()
        const write = said.through(lines.write)
        const ended = await inRootfs(
          {
            ...{ rootfs: ofImage(base, disk), at, user: root, timeout: runTimeout },
            script: { run: script, shell: undefined, env: {}, workingDirectory: undefined },
            ...{ onStdout: write, onStderr: write }
          },
          emulationFor(base),
          context
        )
        lines.end()
        checkPrepare(ended, said.text)
      })
      return phases.run('prepare-keep', 'Keep what `prepare` did', async () => {
        const build = join(context.journal.folder, 'build-prepared')
        await mkdir(build)
        await sealImage({ base, disk: { path: disk, format: 'raw' }, keys: {}, request, provenance, build, log })
        await rm(disk)
        return build
      })
    }
  }
}

/** A copy of a disk that may be written; what is empty in it takes no time and no room. */
export async function copyDisk(from: string, to: string): Promise<void> {
  await tool('cp', ['--sparse=always', '--reflink=auto', from, to])
}
