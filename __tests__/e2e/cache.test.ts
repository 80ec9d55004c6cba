import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CacheServer } from '../kit/cache-server'
import { toCompressed } from '../kit/archives'
import { ImageServer } from '../kit/image-server'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(300_000)

let images: ImageServer
let image: string
beforeAll(async () => {
  images = await ImageServer.start()
  image = images.serve('/mini.img.zst', { file: await toCompressed(await miniImage(), 'zst') })
})
afterAll(() => images.close())

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
async function job(
  inputs: Readonly<Record<string, string>> = {},
  { patience = '20', keep = false } = {}
): Promise<StepResult> {
  const home = join(scratch, 'home')
  if (!keep) await rm(home, { recursive: true, force: true })
  const one = await RunnerJob.create({ home, env: { ...server.env(), PI_QEMU_CACHE_PATIENCE: patience } })
  try {
    // Booted snapshots have a test of their own.
    const step = one.step({ image, board: 'virt', sync: 'none', snapshot: 'off', run: 'echo ran', ...inputs })
    const result = await step.main()
    await step.post()
    return result
  } finally {
    expect(await one.dispose()).toEqual([])
  }
}

/** Leaves a prepared image in the cache, and does not wait for a boot. */
const fill = (): Promise<StepResult> => job({ 'boot-timeout': '1s' })

/** How often the image itself was asked for. */
const downloads = (): number => images.seen('/mini.img.zst').length

const annotations = ({ commands }: StepResult): readonly string[] =>
  commands.filter(({ name }) => name === 'warning' || name === 'error').map(({ message }) => message)
const asked = (operation: string): number =>
  server.requests.filter(request => request.startsWith(`${operation} `)).length

test('cold, prepared hit, image hit: log, summary and output say which, and why not more', async () => {
  const prepare = 'echo one > /root/mark; echo "prepare runs"'
  const inputs = { prepare, run: 'cat /root/mark', env: 'TOKEN=hush-hush-4711' }
  const cold = await job(inputs)
  expect([cold.code, cold.outputs['cache-hit'], annotations(cold)]).toEqual([0, 'none', []])
  expect(cold.log).toMatch(/^prepare runs$/m)
  expect(cold.stdout).toMatch(/^one$/m)
  // Both layers, each with its own key.
  expect(new Set(server.entries.map(({ key }) => key)).size).toBe(2)
  expect(Object.keys(JSON.parse(cold.outputs['timings'] ?? '{}') as object)).toEqual(
    expect.arrayContaining(['prepare', 'prepare-boot', 'prepare-keep', 'cache-save'])
  )

  const before = downloads()
  const warm = await job(inputs)
  expect([warm.code, warm.outputs['cache-hit'], annotations(warm)]).toEqual([0, 'prepared', []])
  expect(warm.stdout).toMatch(/^one$/m)
  expect(warm.log).not.toMatch(/^prepare runs$/m)
  expect(warm.log).not.toContain('SSH: this run')
  expect(warm.log).toContain('From a cache: prepared')
  expect(warm.summary).toContain('**From a cache:** prepared')
  // Of the lower layer nothing was asked, not even whether it is there.
  expect([asked('download'), downloads()]).toEqual([1, before])

  const changed = await job({ ...inputs, prepare: `${prepare};` })
  expect([changed.code, changed.outputs['cache-hit'], annotations(changed)]).toEqual([0, 'image', []])
  expect(changed.log).toMatch(/^prepare runs$/m)
  expect(changed.log).not.toContain('SSH: this run')
  expect(changed.summary).toMatch(/\*\*From a cache:\*\* image \(`prepare` is new or changed/)
  expect(server.entries).toHaveLength(3)

  const kept = await job({ 'cache-key-suffix': 'anew', cache: 'read-only', 'boot-timeout': '1s' })
  expect([kept.outputs['cache-hit'], server.entries.length]).toEqual(['none', 3])

  const secrets = ['BEGIN OPENSSH PRIVATE KEY', 'ssh-ed25519 AAAA', 'hush-hush-4711']
  const found = await run('grep', ['-rlaE', secrets.join('|'), join(scratch, 'home/images')], { tolerate: true })
  expect(found).toBe('')
})

test('cache: off neither takes nor saves', async () => {
  const off = await job({ cache: 'off' })
  expect([off.code, off.outputs['cache-hit'], server.requests, annotations(off)]).toEqual([0, 'none', [], []])
})

test('a failing prepare ends the run with its status, and leaves the lower layer only', async () => {
  const failed = await job({ prepare: 'echo about to fail; exit 7', run: 'echo never' })
  expect([failed.code, failed.outputs['outcome'], failed.outputs['exit-code']]).toEqual([7, 'script-failed', '7'])
  expect(annotations(failed)).toEqual([
    expect.stringMatching(/^`prepare` ended with status 7; nothing of it was cached/)
  ])
  expect(failed.stdout).not.toMatch(/^never$/m)
  expect(server.entries).toHaveLength(1)
  // What was saved is whole, though the run failed.
  const next = await fill()
  expect(next.outputs['cache-hit']).toBe('prepared')
})

interface Fault {
  readonly what: string
  readonly spoil: () => unknown
  readonly warning: RegExp
  /** Whether there is something in the cache already. */
  readonly filled?: true
  readonly hit: string
}

const faults: readonly Fault[] = [
  {
    what: 'a cache that answers 500',
    spoil: () => {
      server.fail('lookup', { status: 500 })
    },
    warning: /^The Actions cache was not used: no answer to a look-up within \d+ s$/,
    hit: 'none'
  },
  {
    what: 'a cache that answers 403',
    spoil: () => {
      server.fail('lookup', { status: 403 })
    },
    warning: /^The Actions cache was not used: .*403/,
    hit: 'none'
  },
  {
    what: 'a cache that never answers',
    spoil: () => {
      server.fail('lookup', 'never')
    },
    warning: /^The Actions cache was not used: no answer to a look-up within \d+ s$/,
    hit: 'none'
  },
  {
    what: 'a download that never ends',
    spoil: () => {
      server.fail('download', 'never')
    },
    warning: /^The prepared image was not restored from the Actions cache: no end of the download within \d+ s$/,
    filled: true,
    hit: 'none'
  },
  {
    what: 'an upload that is refused',
    spoil: () => {
      server.fail('upload', { status: 403 })
    },
    warning: /^The prepared image was not saved in the Actions cache: /,
    hit: 'none'
  },
  {
    what: 'an upload that never ends',
    spoil: () => {
      server.fail('upload', 'never')
    },
    warning: /^The prepared image was not saved in the Actions cache: no end of the upload within \d+ s$/,
    hit: 'none'
  },
  {
    what: 'a token that may not write',
    spoil: () => {
      server.readOnly = true
    },
    warning: /^The prepared image was not saved in the Actions cache: this job may not write to it .*403/,
    hit: 'none'
  },
  {
    what: 'a damaged entry',
    spoil: () => server.corrupt('pi-qemu-prepared'),
    warning: /^The prepared image (was not restored from|in) the Actions cache/,
    filled: true,
    hit: 'none'
  },
  {
    what: 'half an entry',
    spoil: () => server.shorten('pi-qemu-prepared'),
    warning: /^The prepared image (was not restored from|in) the Actions cache/,
    filled: true,
    hit: 'none'
  }
]

test.each(faults)('$what: one warning, and the run goes on', async ({ spoil, warning, filled, hit }) => {
  if (filled === true) expect([(await fill()).outputs['outcome'], server.entries.length]).toEqual(['timeout', 1])
  await spoil()
  const ran = await job({}, { patience: '1' })
  expect([ran.code, ran.outputs['outcome'], ran.outputs['cache-hit']]).toEqual([0, 'success', hit])
  expect(annotations(ran)).toEqual([expect.stringMatching(warning)])
  expect(ran.stdout).toMatch(/^ran$/m)
})

test('a cache that fails twice is asked again, and works', async () => {
  server.fail('lookup', { status: 500 }, 1)
  const { outputs, commands } = await fill()
  expect([outputs['cache-hit'], server.entries.length]).toEqual(['none', 1])
  expect(commands.filter(({ name }) => name === 'warning')).toEqual([])
})

test('a key that another job has just taken: nothing is wrong', async () => {
  await fill()
  server.unfinished = true
  const { code, outputs, log, ...result } = await job()
  expect([code, outputs['cache-hit'], server.entries.length]).toEqual([0, 'none', 1])
  expect(annotations({ ...result, code, outputs, log })).toEqual([])
  expect(log).toContain('The Actions cache has the prepared image already: another job was first')
})

test('two jobs on one machine that prepare the same at once: both succeed, and one saves', async () => {
  const home = join(scratch, 'home')
  await mkdir(home)
  const results = await Promise.all([0, 1].map(() => job({}, { keep: true })))
  expect(results.map(({ code }) => code)).toEqual([0, 0])
  expect(results.flatMap(annotations)).toEqual([])
  expect(server.entries).toHaveLength(1)
})
