// A later step on a Pi that was left up, as the documentation says to do it, against ssh with its arguments by hand.
import { readFile } from 'node:fs/promises'
import { run } from '../kit/host.mjs'
import { image } from '../kit/images.mjs'
import { keepPiUp } from '../kit/ours.mjs'
import { median } from '../kit/table.mjs'
import { timed } from '../kit/session.mjs'

export const rows = {
  'second-step': {
    ...{ what: 'a second step on a Pi that stays up, virt', unit: 's', against: 'plain ssh' },
    ...{ compare: 'more', most: 0.5 }
  }
}

/** Logins of each kind in a round, in turn. */
const logins = 10

export async function round(session) {
  const flags = { board: 'virt', image: await image(session), sync: 'none' }
  const pi = await keepPiUp(session, flags)
  try {
    const text = await readFile(pi.config, 'utf8')
    const setting = name => new RegExp(`^\\s*${name} "?(.*?)"?$`, 'm').exec(text)?.[1]
    const plain = [
      ...['-i', setting('IdentityFile'), '-p', setting('Port'), '-o', 'StrictHostKeyChecking=no'],
      ...['-o', 'UserKnownHostsFile=/dev/null', '-o', 'LogLevel=ERROR', `${setting('User')}@127.0.0.1`]
    ]
    const [ours, peer] = [[], []]
    await run('ssh', ['-F', pi.config, 'pi', 'true'])
    for (let n = 0; n < logins; n++) {
      ours.push(await timed(() => run('ssh', ['-F', pi.config, 'pi', 'true'])))
      peer.push(await timed(() => run('ssh', [...plain, 'true'])))
    }
    return { 'second-step': { ours: median(ours), peer: median(peer), all: { ours, peer } } }
  } finally {
    await pi.stop()
  }
}
