import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, open, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { createReadStream, existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { toCompressed, type ArchiveKind } from '../kit/archives'
import { difference, hostState, unchanged } from '../kit/host-state'
import { ImageServer } from '../kit/image-server'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(300_000)

let server: ImageServer
let scratch: string
let job: RunnerJob
beforeAll(async () => {
  server = await ImageServer.start()
})
afterAll(() => server.close())
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-images-'))
  // A cache of its own: nothing may be prepared already.
  job = await RunnerJob.create({ home: join(scratch, 'home') })
})
afterEach(async () => {
  const left = await job.dispose()
  await rm(scratch, { recursive: true, force: true })
  expect(left).toEqual([])
})

const sha256 = async (file: string): Promise<string> => {
  const hash = createHash('sha256')
  await pipeline(createReadStream(file), hash)
  return hash.digest('hex')
}

/** One step, main and post; asserts that post leaves the host as it was. */
async function step(
  inputs: Readonly<Record<string, string>>,
  env: Readonly<Record<string, string>> = {}
): Promise<StepResult> {
  const before = await hostState({ roots: [] })
  const one = job.step({ board: 'virt', sync: 'none', run: 'grep PRETTY /etc/os-release', ...inputs }, { env })
  const result = await one.main()
  await one.post()
  expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  return result
}

describe.each(['raw', 'xz', 'zst', 'gz', 'zip', 'qcow2'] as const)('an image as %s', kind => {
  const file = async (): Promise<string> => (kind === 'raw' ? miniImage() : toCompressed(await miniImage(), kind))

  test('boots from a file, which is not changed', async () => {
    const image = await file()
    const before = await sha256(image)
    const { code, stdout, log } = await step({ image })
    expect([code, log]).toEqual([0, expect.stringContaining('Mini')])
    expect(stdout).toContain('PRETTY_NAME="Mini')
    expect(await sha256(image)).toBe(before)
  })

  test('boots from a URL, checked against the checksum', async () => {
    const image = await file()
    const url = server.serve(`/given/${kind}`, { file: image, sha256: 'none' })
    const { code, log } = await step({ image: url, 'image-sha256': await sha256(image) })
    expect([code, log]).toEqual([0, expect.stringContaining('as given')])
  })
})

test('the .sha256 file beside an image is used, and a second run takes the prepared image without a download', async () => {
  const url = server.serve('/published.img.gz', { file: await toCompressed(await miniImage(), 'gz'), sha256: 'right' })
  const first = await step({ image: url })
  expect(first.log).toContain('from published.img.gz.sha256')
  const second = await step({ image: url })
  expect(second.log).toContain('Already prepared')
  expect(server.seen('/published.img.gz').filter(({ method }) => method === 'GET')).toHaveLength(1)
})

test('a connection that breaks is resumed where it broke', async () => {
  const url = server.serve('/broken.img.xz', {
    file: await toCompressed(await miniImage(), 'xz'),
    truncate: { after: 1_000_000, once: true }
  })
  const { code, log } = await step({ image: url })
  expect([code, log]).toEqual([0, expect.stringContaining('Connection lost at byte 1000000')])
  expect(server.seen('/broken.img.xz').some(({ range }) => range === 'bytes=1000000-')).toBe(true)
})

describe('an image that cannot be used is one clear error, before any boot', () => {
  interface Fault {
    readonly name: string
    readonly inputs: () => Promise<Record<string, string>>
    readonly outcome: 'bad-input' | 'host-failed'
    readonly message: RegExp
  }
  const variant = async (
    name: string,
    change: (path: string) => Promise<unknown>,
    from?: ArchiveKind
  ): Promise<Record<string, string>> => {
    const path = join(scratch, name)
    await copyFile(from === undefined ? await miniImage() : await toCompressed(await miniImage(), from), path)
    await change(path)
    return { image: path }
  }
  const retype = (number: number, type: string) => (path: string) =>
    run('sfdisk', ['--quiet', '--no-reread', '--part-type', path, String(number), type])
  const served = (path: string, route: Parameters<ImageServer['serve']>[1]): Promise<Record<string, string>> =>
    Promise.resolve({ image: server.serve(path, route) })

  const faults: readonly Fault[] = [
    {
      name: 'wrong checksum, given',
      inputs: async () => ({ image: await toCompressed(await miniImage(), 'xz'), 'image-sha256': 'a'.repeat(64) }),
      outcome: 'host-failed',
      message: /checksum of .*\.xz is wrong: expected SHA-256 a{64}, got [0-9a-f]{64}/
    },
    {
      name: 'wrong checksum, published',
      inputs: async () =>
        served('/wrong.img.gz', { file: await toCompressed(await miniImage(), 'gz'), sha256: 'wrong' }),
      outcome: 'host-failed',
      message: /checksum of .*wrong\.img\.gz is wrong/
    },
    {
      name: 'truncated archive',
      inputs: () => variant('short.img.xz', path => truncate(path, 5_000_000), 'xz'),
      outcome: 'host-failed',
      message: /short\.img\.xz cannot be unpacked[\s\S]*damaged or cut short/
    },
    {
      name: 'download that always breaks',
      inputs: async () =>
        served('/breaks.img.xz', {
          file: await toCompressed(await miniImage(), 'xz'),
          truncate: { after: 100_000 },
          ranges: false,
          sha256: 'none'
        }),
      outcome: 'host-failed',
      message: /download of .* broke 5 times/
    },
    {
      name: 'a web page instead of an image',
      inputs: () => served('/page.img.xz', { html: true, sha256: 'none' }),
      outcome: 'host-failed',
      message: /is a web page, not a disk image/
    },
    {
      name: 'something else',
      inputs: () => variant('noise.img', path => writeFile(path, 'x'.repeat(4096))),
      outcome: 'host-failed',
      message: /is not a disk image/
    },
    {
      name: 'no FAT partition',
      inputs: () => variant('nofat.img', retype(1, '83')),
      outcome: 'host-failed',
      message: /no FAT boot partition \(partitions: 1 \(type 83\), 2 \(type 83\)\)/
    },
    {
      name: 'no ext4',
      inputs: () =>
        variant('noext4.img', async path => {
          const file = await open(path, 'r+')
          await file.write(Buffer.alloc(2), 0, 2, 68 * 1024 * 1024 + 1080)
          await file.close()
        }),
      outcome: 'host-failed',
      message: /no ext4 root partition/
    },
    {
      name: 'no kernel',
      inputs: () => variant('nokernel.img', path => run('mdel', ['-i', `${path}@@4M`, '::kernel8.img'])),
      outcome: 'host-failed',
      message: /no kernel/
    },
    {
      name: 'missing file',
      inputs: () => Promise.resolve({ image: 'not/there.img' }),
      outcome: 'bad-input',
      message: /input `image` is “not\/there\.img”, which is neither a file/
    },
    {
      name: 'no such page',
      inputs: () => served('/absent.img.xz', { status: 404 }),
      outcome: 'host-failed',
      message: /the server answered 404/
    },
    {
      name: 'a server that keeps failing',
      inputs: () => served('/fails.img.xz', { status: 500 }),
      outcome: 'host-failed',
      message: /the server answered 500/
    },
    {
      name: 'unreachable host',
      inputs: () => Promise.resolve({ image: 'http://127.0.0.1:9/x.img.xz' }),
      outcome: 'host-failed',
      message: /download of http:\/\/127\.0\.0\.1:9\/x\.img\.xz\S* failed: .*ECONNREFUSED/
    },
    {
      name: 'unknown board',
      inputs: () => Promise.resolve({ board: 'raspi9' }),
      outcome: 'bad-input',
      message: /input `board` is “raspi9”; valid: raspi3b, .*, virt, versatilepb/
    },
    {
      name: 'memory on raspi3b',
      inputs: () => Promise.resolve({ board: 'raspi3b', memory: '2G' }),
      outcome: 'bad-input',
      message: /input `memory` does not go with board `raspi3b`/
    },
    {
      name: 'two faults at once',
      inputs: () => Promise.resolve({ board: 'raspi9', 'run-timeout': 'soon' }),
      outcome: 'bad-input',
      message: /2 inputs are wrong:[\s\S]*`board`[\s\S]*`run-timeout`/
    },
    {
      name: 'unknown user',
      inputs: async () => ({ image: await miniImage(), user: 'alice' }),
      outcome: 'bad-input',
      message: /input `user` is “alice”, but the image has no such user; valid: root/
    },
    {
      name: 'an overlay whose other half is elsewhere',
      inputs: async () => {
        const image = join(scratch, 'half.qcow2')
        await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', await miniImage(), image])
        return { image }
      },
      outcome: 'host-failed',
      message: /only half of an image/
    }
  ]

  test.each(faults)('$name', async ({ inputs, outcome, message }) => {
    const { code, outputs, commands, log } = await step(await inputs())
    expect(outputs).toMatchObject({ outcome, 'exit-code': '125' })
    expect(code).toBe(125)
    expect(commands.filter(({ name }) => name === 'error').map(({ message: text }) => text)).toEqual([
      expect.stringMatching(message)
    ])
    expect(log).not.toContain('Start QEMU')
    expect(
      existsSync(join(scratch, 'home/runs'))
        ? await readFile(join(scratch, 'home/runs/x')).catch(() => 'nothing')
        : 'nothing'
    ).toBe('nothing')
  })

  test('a full disk', async () => {
    const small = join(scratch, 'small')
    await mkdir(small)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'tmpfs', small])
    try {
      const { code, outputs, log } = await step(
        { image: await toCompressed(await miniImage(), 'xz') },
        { PI_QEMU_HOME: join(small, 'home') }
      )
      expect([code, outputs['outcome']]).toEqual([125, 'host-failed'])
      expect(log).toMatch(/disk is full[\s\S]*PI_QEMU_HOME/)
      expect(await run('find', [small, '-type', 'f'])).toBe('')
    } finally {
      await run('umount', [small])
    }
  })
})
