// The first run ever on a Pi 3, with nothing prepared, against the command line that people copy.
import { setTimeout as sleep } from 'node:timers/promises'
import { coldByHand } from '../kit/hand.mjs'
import { run } from '../kit/host.mjs'
import { image } from '../kit/images.mjs'
import { runInPi } from '../kit/ours.mjs'

export const rows = {
  'cold-raspi3b': {
    ...{ what: 'cold to first command, raspi3b', unit: 's', against: 'the classic command line until SSH answers' },
    ...{ compare: 'faster', least: 2 }
  }
}

export async function round(session, n) {
  // The peer's card was copied just now: both find what they read in the host's memory.
  const path = await image(session)
  await run('cp', [path, '/dev/null'])
  const flags = { board: 'raspi3b', image: path, sync: 'none', run: 'echo first' }
  await settled()
  // A home of its own: unpacking and provisioning are part of it.
  const { first, wall, phases } = await runInPi(session, flags, { home: session.path(`cold-home-${n}`) })
  const peer = await session.oncePerRound('cold by hand', async () => {
    await settled()
    return coldByHand(session)
  })
  return { 'cold-raspi3b': { ours: first, peer, wall, phases } }
}

/**
 * A virtual machine gives memory that was freed back to its host, and gets it again slowly: without a pause, whoever
 * comes second starts with what the first has left.
 */
const settled = () => sleep(10_000)
