// A workspace that goes in, is read, and brings results back: by our volume, against tar over SSH into the same board, started by hand.
import { randomBytes } from 'node:crypto'
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { upByHand } from '../kit/hand.mjs'
import { run } from '../kit/host.mjs'
import { image } from '../kit/images.mjs'
import { runInPi } from '../kit/ours.mjs'
import { timed } from '../kit/session.mjs'

const input = { files: 2000, bytes: 25_000, folders: 20 }
const output = { files: 100, bytes: 100_000 }

/** All that came is read; then the results are made of it: random bytes would cost more than their way home. */
const work = into =>
  [
    'find in -type f -exec cat {} + > /dev/null',
    `mkdir ${into}`,
    `cat in/[0-3]/* | split -b ${output.bytes} -a 3 - ${into}/`
  ].join(' && ')

/**
 * The same in both. The work is done once more, when all is in the guest's memory: what it takes then is its own, and
 * no part of the way in or out.
 */
const script = [
  'set -e',
  work('out'),
  'from=$(date +%s%N)',
  work('/tmp/again'),
  'echo "files=$(find in -type f | wc -l)"',
  'echo "own=$((($(date +%s%N) - from) / 1000000))"'
].join('\n')

/** Seconds of the script that are its own, of both times. */
const own = stdout => (2 * Number(/^own=(\d+)$/m.exec(stdout)[1])) / 1000

const what = board => `50 MB in ${input.files} files in, 10 MB out, ${board}`

export const rows = {
  'workspace-raspi3b': {
    ...{ what: what('raspi3b'), unit: 's', against: 'tar over SSH on usb-net (once in a session)' },
    ...{ compare: 'faster', least: 20 }
  },
  'workspace-virt': {
    ...{ what: what('virt'), unit: 's', against: 'tar over SSH on virtio-net' },
    ...{ compare: 'faster', least: 3 }
  }
}

export async function round(session, _n, wanted) {
  const results = {}
  for (const board of ['raspi3b', 'virt']) {
    if (!wanted(`workspace-${board}`)) continue
    const ours = await byVolume(session, board)
    const measure = () => byTar(session, board)
    // About ten minutes on raspi3b.
    const peer = await (board === 'virt' ? measure() : session.oncePerSession('tar on raspi3b', measure))
    results[`workspace-${board}`] = { ...ours, peer: peer.seconds, peerSteps: peer.steps }
  }
  return results
}

/** What is on the host before; made once. */
function workspace(session) {
  return session.oncePerSession('workspace', async () => {
    const folder = session.path('workspace')
    for (let n = 0; n < input.files; n++) {
      const into = join(folder, 'in', String(n % input.folders))
      await mkdir(into, { recursive: true })
      await writeFile(join(into, `file-${n}`), randomBytes(input.bytes))
    }
    await writeFile(join(folder, 'script'), script)
    return folder
  })
}

/** Phases that have nothing to do with a workspace, before the Pi is up and after it is done. */
const elsewhere = [
  'plan',
  'tools',
  'qemu-ready',
  'image',
  'prepare',
  'cache-save',
  'qemu',
  'boot',
  'snapshot',
  'login',
  'power-off'
]

/** Making the volume, mounting it, the script but for its own work, bringing back: what a run takes longer by. */
async function byVolume(session, board) {
  const folder = await workspace(session)
  const flags = { board, image: await image(session) }
  const { phases, stdout } = await runInPi(session, { ...flags, run: script }, { cwd: folder })
  await check(folder, stdout)
  const { phases: without } = await runInPi(session, { ...flags, run: 'true', sync: 'none' })
  const ours = counted(phases) - counted(without) - own(stdout)
  return { ours, own: own(stdout), phases, without }
}

const counted = phases =>
  Object.entries(phases)
    .filter(([name]) => !elsewhere.includes(name))
    .reduce((sum, [, seconds]) => sum + seconds, 0)

/** In a guest by hand, as a person would have it: three logins. */
async function byTar(session, board) {
  session.say(`tar over SSH, ${board}`)
  const folder = await workspace(session)
  const guest = await upByHand(session, board)
  const back = session.path('back')
  await rm(back, { recursive: true, force: true })
  await mkdir(back)
  // ssh's words are the arguments of the shell: nothing in them is read by it.
  const shell = (line, cwd) => run('bash', ['-o', 'pipefail', '-ec', line, 'bash', ...guest.ssh], { cwd })
  let stdout
  try {
    const steps = {
      in: await timed(() => shell(`tar c in | ssh "$@" 'mkdir w && tar x -C w'`, folder)),
      script: await timed(async () => (stdout = await shell(`ssh "$@" 'cd w && sh' < script`, folder))),
      out: await timed(() => shell(`ssh "$@" 'tar c -C w out' | tar x`, back)),
      // The script's own is no part of the way in or out.
      login: await timed(() => shell('ssh "$@" true'))
    }
    await check(back, stdout)
    const seconds = steps.in + steps.script + steps.out - own(stdout) - steps.login
    return { seconds, steps: { ...steps, own: own(stdout) } }
  } finally {
    await guest.stop()
  }
}

/** A way that loses data has no speed. The results go, for the next round. */
async function check(folder, stdout) {
  const out = join(folder, 'out')
  const sizes = await Promise.all((await readdir(out)).map(async name => (await stat(join(out, name))).size))
  const total = sizes.reduce((sum, size) => sum + size, 0)
  const read = Number(/^files=(\d+)$/m.exec(stdout)?.[1])
  if (read !== input.files || total !== output.files * output.bytes)
    throw new Error(`${read} files were read in the guest, and ${total} bytes came back`)
  await rm(out, { recursive: true })
}
