// An image of a full system's size: hashing, unpacking and provisioning, against the system's own tools.
import { execFileSync } from 'node:child_process'
import { closeSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import '../kit/typescript.mjs'
import { run } from '../kit/host.mjs'
import { runInPi } from '../kit/ours.mjs'
import { timed } from '../kit/session.mjs'

const { miniImage } = await import('../../__tests__/kit/mini-image.ts')

export const rows = {
  unpack: {
    ...{ what: 'image in place from 3 GiB as .xz', unit: 's', against: 'xz -dc -T0, piped to sha256sum' },
    ...{ compare: 'share', most: 1.2 }
  },
  'unpack-memory': { what: '– peak memory of our process', unit: 'MiB', below: 200 }
}

export async function round(session, n) {
  const packed = await session.oncePerSession('large image', () => largeImage(session))
  const home = session.path(`unpack-home-${n}`)
  const flags = { image: packed, board: 'virt', sync: 'none', snapshot: 'off', run: 'true' }
  const { phases, peak } = await runInPi(session, flags, { home })
  rmSync(home, { recursive: true })
  const peer = await timed(() => run('sh', ['-c', 'xz -dc -T0 "$1" | sha256sum', 'sh', packed]))
  return { unpack: { ours: phases.image, peer }, 'unpack-memory': { ours: peak } }
}

/** A card image of 3 GiB, a third of it with data that compresses as file systems do; xz as the vendor packs it. */
async function largeImage(session) {
  session.say('An image of 3 GiB')
  const image = session.path('large.img')
  execFileSync('cp', ['--sparse=always', await miniImage(), image])
  const file = openSync(image, 'r+')
  const library = readFileSync(process.execPath)
  const MiB = 1024 * 1024
  for (let at = 512 * MiB, salt = 0; at < 1536 * MiB; at += library.length) {
    // The same library again and again would compress to nothing: change a byte in each page.
    for (let page = 0; page < library.length; page += 64) library[page] = (library[page] + ++salt) % 256
    writeSync(file, library, 0, library.length, at)
  }
  ftruncateSync(file, 3072 * MiB)
  closeSync(file)
  await run('xz', ['-1', '-T0', '-f', image])
  return `${image}.xz`
}
