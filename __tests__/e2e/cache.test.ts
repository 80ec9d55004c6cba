import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CacheServer } from '../kit/cache-server'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(300_000)

let server: CacheServer
let scratch: string
beforeEach(async () => {
  server = await CacheServer.start()
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-cache-'))
})
afterEach(async () => {
  await server.close()
  await rm(scratch, { recursive: true, force: true })
})

/** A job on a machine of its own, as GitHub's are: only the folder's path is the same. */
async function job(inputs: Readonly<Record<string, string>> = {}): Promise<StepResult> {
  const home = join(scratch, 'home')
  await rm(home, { recursive: true, force: true })
  const one = await RunnerJob.create({ home, env: server.env() })
  try {
    const step = one.step({ board: 'virt', sync: 'none', run: 'echo ran', ...inputs })
    const result = await step.main()
    await step.post()
    return result
  } finally {
    expect(await one.dispose()).toEqual([])
  }
}

const warnings = ({ commands }: StepResult): readonly string[] =>
  commands.filter(({ name }) => name === 'warning').map(({ message }) => message)

test('what one job prepared, the next takes from the cache: no unpacking, no provisioning', async () => {
  const inputs = {}
  const cold = await job(inputs)
  expect([cold.code, cold.outputs['cache-hit']]).toEqual([0, 'none'])
  expect(server.entries).toHaveLength(1)

  const warm = await job(inputs)
  expect([warm.code, warm.outputs['cache-hit'], warm.log]).toEqual([
    0,
    'prepared',
    expect.stringContaining('Already prepared')
  ])
  expect(warm.stdout).toContain('ran\n')
  expect(warm.log).not.toContain('Building mini-arm64')
  expect(warnings(warm)).toEqual([])
})

test('cache: off neither takes nor saves; read-only only takes', async () => {
  const off = await job({ cache: 'off' })
  expect([off.code, off.outputs['cache-hit'], server.requests]).toEqual([0, 'none', []])
  const readOnly = await job({ cache: 'read-only' })
  expect([readOnly.code, server.entries]).toEqual([0, []])
})

test.each([
  [
    'a cache that answers 403',
    () => {
      server.fail('lookup', { status: 403 })
    }
  ],
  [
    'a cache that fails at times',
    () => {
      server.fail('lookup', { status: 500 }, 2)
    }
  ],
  [
    'a token that may not write',
    () => {
      server.readOnly = true
    }
  ],
  [
    'an upload that is refused',
    () => {
      server.fail('upload', { status: 403 })
    }
  ]
] as const)('%s costs time, never the run', async (_what, spoil) => {
  spoil()
  const { code, outputs } = await job()
  expect([code, outputs['outcome'], outputs['cache-hit']]).toEqual([0, 'success', 'none'])
})

test('a damaged entry is not used', async () => {
  await job()
  await server.corrupt('pi-qemu-prepared')
  const { code, outputs, log } = await job()
  expect([code, outputs['cache-hit']]).toEqual([0, 'none'])
  expect(log).toContain('Building mini-arm64')
})

test('nothing that is kept between runs is a secret of one', async () => {
  const { code, outputs } = await job({ env: 'TOKEN=hush-hush-4711' })
  expect([code, typeof outputs['ssh-key']]).toEqual([0, 'string'])
  const secrets = ['BEGIN OPENSSH PRIVATE KEY', 'ssh-ed25519 AAAA', 'hush-hush-4711']
  const found = await run('grep', ['-rlaE', secrets.join('|'), join(scratch, 'home/images')], { tolerate: true })
  expect(found).toBe('')
})
