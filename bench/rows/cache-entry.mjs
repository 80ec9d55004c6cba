// What a prepared image takes in the Actions cache, as saved by the real client to the kit's server, against the packed
// image that it came from.
import { stat } from 'node:fs/promises'
import '../kit/typescript.mjs'
import { packedImage } from '../kit/images.mjs'

const { CacheServer } = await import('../../__tests__/kit/cache-server.ts')
const { RunnerJob } = await import('../../__tests__/kit/runner.ts')

const MiB = 1024 * 1024

export const rows = {
  'cache-entry': {
    ...{ what: 'prepared image in the cache', unit: 'MiB', against: 'the .img.xz it came from' },
    ...{ compare: 'share', most: 1.3 }
  }
}

export function round(session) {
  // Sizes do not vary with how busy a machine is.
  return session.oncePerSession('cache entry', async () => {
    const packed = await packedImage(session)
    const server = await CacheServer.start()
    session.atEnd(() => server.close())
    const job = await RunnerJob.create({ home: session.path('entry-home'), env: server.env() })
    session.atEnd(() => job.dispose())
    const step = job.step({ image: packed, board: 'virt', sync: 'none', snapshot: 'off' })
    const { code, log } = await step.main()
    await step.post()
    const saved = server.entries.filter(({ key }) => key.startsWith('pi-qemu-prepared'))
    if (code !== 0 || saved.length !== 1) throw new Error(`the image was not saved:\n${log.slice(-3000)}`)
    return { 'cache-entry': { ours: saved[0].size / MiB, peer: (await stat(packed)).size / MiB } }
  })
}
