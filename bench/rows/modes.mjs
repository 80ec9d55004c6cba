// The same script in the same image, prepared before, in user mode and booted: from the start of `pi-qemu` to its end.
import { image } from '../kit/images.mjs'
import { runInPi } from '../kit/ours.mjs'

/** 200 processes, 50 MB hashed, 100,000 lines sorted. */
const script = `i=0; while [ $i -lt 200 ]; do /bin/true; i=$((i + 1)); done
head -c 50000000 /dev/zero | sha256sum > /dev/null
seq 100000 | sort -R --random-source=/bin/ls | sort -n | tail -n 1`

const modes = { user: { mode: 'user' }, virt: { board: 'virt' }, raspi3b: { board: 'raspi3b' } }

export const rows = Object.fromEntries(
  Object.keys(modes).flatMap(name => [
    [`mode-${name}`, { what: `the same script, ${name === 'user' ? 'user mode' : name}, in all`, unit: 's' }],
    [`mode-${name}-script`, { what: '– the script itself', unit: 's' }]
  ])
)

export async function round(session, _, wanted) {
  const result = {}
  for (const [name, inputs] of Object.entries(modes).filter(([mode]) => wanted(`mode-${mode}`))) {
    const all = { image: await image(session), sync: 'none', ...inputs }
    await session.oncePerSession(`${name} before`, async () => {
      await runInPi(session, { ...all, run: 'true' })
      await runInPi(session, { ...all, run: 'true' })
    })
    const { wall, phases } = await runInPi(session, { ...all, run: script })
    result[`mode-${name}`] = { ours: wall, phases }
    result[`mode-${name}-script`] = { ours: phases.run }
  }
  return result
}
