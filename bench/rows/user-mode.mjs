// User mode: how soon the first command runs, and how fast programs are with the CPU that ours shows them.
import { chrootByHand } from '../kit/chroot.mjs'
import { runInPi } from '../kit/ours.mjs'
import { timed } from '../kit/session.mjs'
import '../kit/typescript.mjs'

const { sharedHome } = await import('../../__tests__/kit/runner.ts')

const plain = { against: 'plain registration of qemu-user-static', unit: 's', compare: 'faster' }

export const rows = {
  'user-first': {
    ...{ what: 'a first command in a prepared image, user mode, and all back', unit: 's' },
    ...{ against: 'copy, losetup, mount, chroot by hand', compare: 'faster', least: 2 }
  },
  'user-perl': { what: 'perl loop, trixie arm64 (built with PAC)', ...plain, least: 5 },
  'user-python': { what: 'python loop, trixie arm64', ...plain, least: 1 },
  'user-gcc': { what: 'gcc -O2, trixie arm64', ...plain, least: 1 },
  'user-perl-bookworm': { what: 'perl loop, bookworm arm64', ...plain, least: 0.9 }
}

/** Shell lines by row. Each runs twice, and the second time counts: what it reads is in memory then. */
const loops = {
  'user-perl':
    'perl -e \'my %h; for my $i (1 .. 200000) { $h{$i % 1000} .= chr(65 + $i % 26); } print length(join "", values %h), "\\n"\'',
  'user-python': "python3 -c 's = 0\nfor i in range(300000): s = (s * 31 + i) % 1000003\nprint(s)'",
  'user-gcc':
    "printf '#include <stdio.h>\\n#include <stdlib.h>\\nint main(int c, char **v) { for (int i = 0; i < c; i++) puts(v[i]); return 0; }\\n' > /tmp/b.c; gcc -O2 -o /tmp/b /tmp/b.c"
}
loops['user-perl-bookworm'] = loops['user-perl']
const timedLoop = loop =>
  `${loop} > /dev/null; start=$(date +%s%N); ${loop} > /dev/null; end=$(date +%s%N); echo "took $(((end - start) / 1000000))"`
const tookIn = text => Number(/^took (\d+)$/m.exec(text)[1]) / 1000

/** A Debian of the product's with what the loops need, as a file of its own for the peer. */
const image = (session, suite) =>
  session.oncePerSession(`${suite} for user mode`, async () => {
    session.say(`${suite} for user mode`)
    const file = session.path(`${suite}.img`)
    const wanted = { image: `debian-arm64:${suite}`, prepare: packages, 'cache-max-size': '60G' }
    const saved = { mode: 'user', sync: 'none', ...wanted, run: 'true', 'save-image': file }
    await runInPi(session, saved, { home: sharedHome })
    return { file, wanted }
  })
const packages = 'apt-get -q update && apt-get -q -y install --no-install-recommends gcc libc6-dev python3-minimal'

export async function round(session, _, wanted) {
  const result = {}
  const ours = (inputs, run) => runInPi(session, { mode: 'user', sync: 'none', ...inputs, run }, { home: sharedHome })
  if (wanted('user-first')) {
    const { file, wanted: inputs } = await image(session, 'bookworm')
    await ours(inputs, 'true')
    const { wall, phases } = await ours(inputs, 'true')
    const peer = await timed(() => chrootByHand(session, file, ['/bin/true']))
    const withoutCopy = await timed(() => chrootByHand(session, file, ['/bin/true'], { copy: false }))
    result['user-first'] = { ours: wall, peer, withoutCopy, phases }
  }
  for (const [name, loop] of Object.entries(loops).filter(([row]) => wanted(row))) {
    const { file, wanted: inputs } = await image(session, name.endsWith('bookworm') ? 'bookworm' : 'trixie')
    const { stdout } = await ours({ ...inputs, user: 'root' }, timedLoop(loop))
    const byHand = await chrootByHand(session, file, ['/bin/sh', '-c', timedLoop(loop)])
    result[name] = { ours: tookIn(stdout), peer: tookIn(byHand) }
  }
  return result
}
