// A run on virt of what earlier runs have prepared, against the same image cold by hand, and against the limit: QEMU's
// own restore of a snapshot.
import { coldByHand, restoredByHand } from '../kit/hand.mjs'
import { image } from '../kit/images.mjs'
import { runInPi } from '../kit/ours.mjs'

const what = 'cached to first command, virt'

export const rows = {
  'cached-virt': {
    ...{ what, unit: 's', against: 'the same image cold on raspi3b by hand' },
    ...{ compare: 'faster', least: 20, below: 5 }
  },
  'cached-loadvm': {
    ...{ what, unit: 's', against: "QEMU's own -loadvm until SSH answers" },
    ...{ compare: 'share', most: 1.5 }
  }
}

export async function round(session, _n, wanted) {
  const flags = { board: 'virt', image: await image(session), sync: 'none', run: 'echo first' }
  const go = () => runInPi(session, flags)
  // The first prepares the image, and the second may find it and do more for later ones.
  await session.oncePerSession('cached runs before', () => go().then(go))
  const { first: ours, wall, phases, cacheHit } = await go()
  const peers = {
    'cached-loadvm': () => restoredByHand(session),
    'cached-virt': () => session.oncePerRound('cold by hand', () => coldByHand(session))
  }
  const results = {}
  for (const [name, measure] of Object.entries(peers))
    if (wanted(name)) results[name] = { ours, cacheHit, wall, phases, peer: await measure() }
  return results
}
