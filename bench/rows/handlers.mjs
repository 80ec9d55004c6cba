// Handlers for programs of other platforms: registered and tried by us, and by a container as others do it.
import { Buffer } from 'node:buffer'
import { mkdir, writeFile } from 'node:fs/promises'
import { piQemu } from '../kit/ours.mjs'
import { run } from '../kit/host.mjs'
import { median } from '../kit/table.mjs'
import { timed } from '../kit/session.mjs'
import '../kit/typescript.mjs'

const { DockerEngine } = await import('../../__tests__/kit/docker-engine.ts')
const { elfProgram } = await import('../../src/host/elf.ts')

export const rows = {
  handlers: {
    ...{ what: 'register handlers for arm64 and arm, and try them', unit: 's', below: 0.5 },
    ...{ against: '`docker run --rm` of an image that is here', compare: 'faster', least: 3 }
  },
  'handlers-wall': { what: '– the same, `pi-qemu binfmt install` as a whole', unit: 's' }
}

/** In a turn; one by one they vary by a third. */
const times = 5

export async function round(session) {
  const engine = await session.oncePerSession('docker engine', async () => {
    session.say('Docker engine')
    const started = await DockerEngine.start()
    session.atEnd(() => started.stop())
    await importProgram(session, started)
    return started
  })
  const values = { ours: [], wall: [], peer: [] }
  const wanted = ['--platforms', 'linux/arm64,linux/arm/v7']
  for (let at = 0; at < times; at++) {
    const { phases } = await piQemu(session, ['run', '--verbose', '--mode', 'user', '--sync', 'none', ...wanted])
    values.ours.push(phases.handlers)
    await piQemu(session, ['stop'])
    values.wall.push(await timed(() => piQemu(session, ['binfmt', 'install', ...wanted])))
    await piQemu(session, ['binfmt', 'restore'])
    values.peer.push(await timed(() => engine.docker('run', '--rm', 'nothing', '/nothing')))
  }
  return {
    handlers: { ours: median(values.ours), peer: median(values.peer), values },
    'handlers-wall': { ours: median(values.wall) }
  }
}

/** An image with one program, which does nothing: what the peer's own work would take comes on top. */
async function importProgram(session, engine) {
  const folder = session.path('nothing')
  await mkdir(folder)
  const code = Buffer.from('31ffb83c0000000f05', 'hex') // xor %edi, %edi; mov $60, %eax; syscall
  await writeFile(`${folder}/nothing`, elfProgram({ bits: 64, order: 'little', machine: 62 }, code), { mode: 0o755 })
  await run('tar', ['--create', '--file', `${folder}.tar`, '--directory', folder, 'nothing'])
  await engine.docker('import', `${folder}.tar`, 'nothing')
}
