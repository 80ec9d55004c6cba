import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { differenceAtRest, dockerSuite } from '../kit/docker-suite'
import { difference, unchanged } from '../kit/host-state'
import { run } from '../kit/run'

jest.setTimeout(420_000)

const suite = dockerSuite(['arm64', 'armhf', 'armel'], { build: 'app' })
const { host, step, whole } = suite

let context: string
beforeEach(async () => {
  context = join(suite.job.workspace, 'app')
  await mkdir(context)
})

/** Writes a Dockerfile on top of the small Debian of all platforms. */
const dockerfile = (...lines: readonly string[]): Promise<void> =>
  writeFile(join(context, 'Dockerfile'), [`FROM ${suite.engine.registry}/debian:bookworm`, ...lines, ''].join('\n'))

const all = { arm64: 'linux/arm64', armhf: 'linux/arm/v7', armel: 'linux/arm/v5' } as const

describe('a build', () => {
  test('for three platforms installs packages, runs make, and is pushed as one image that runs on each', async () => {
    await writeFile(join(context, 'Makefile'), 'arch:\n\tuname -m > $@\n\tdpkg --print-architecture >> $@\n')
    await dockerfile(
      'RUN apt-get update -q && apt-get install -qy --no-install-recommends make',
      'COPY Makefile /src/',
      // SVE is bit 22: QEMU's own choice of a CPU has it, and no Pi.
      "RUN make -C /src && env -i LD_SHOW_AUXV=1 /bin/true | sed -n 's/^AT_HWCAP: *//p' > /src/hwcap",
      'CMD ["cat", "/src/arch", "/src/hwcap"]'
    )
    const tag = `${suite.engine.registry}/app:1`
    const { code, outputs, log } = await whole({ platforms: Object.values(all).join(','), tags: tag, push: 'true' })
    expect([code, log]).toEqual([0, expect.stringContaining('Digest: sha256:')])
    const metadata = JSON.parse(outputs['metadata'] ?? '') as Readonly<Record<string, unknown>>
    expect(outputs['digest']).toMatch(/^sha256:[0-9a-f]{64}$/)
    expect(metadata['containerimage.digest']).toBe(outputs['digest'])
    expect(outputs['image-id']).toMatch(/^sha256:/)
    expect(await suite.engine.docker('buildx', 'imagetools', 'inspect', tag)).toContain(outputs['digest'])

    const handlers = suite.job.step({ mode: 'user' })
    expect((await handlers.main()).code).toBe(0)
    const seen: string[] = []
    for (const platform of Object.values(all))
      seen.push(await suite.engine.docker('run', '--rm', '--init', '--pull', 'always', '--platform', platform, tag))
    expect((await handlers.post()).code).toBe(0)
    expect(seen.map(text => text.split('\n').slice(0, 2))).toEqual([
      ['aarch64', 'arm64'],
      ['armv7l', 'armhf'],
      ['armv7l', 'armel']
    ])
    expect((Number.parseInt(seen[0]?.split('\n')[2] ?? 'ffffffff', 16) >> 22) & 1).toBe(0)
  })

  test('sees secrets, which are in no layer and no log', async () => {
    await dockerfile(
      'RUN --mount=type=secret,id=token --mount=type=secret,id=key cat /run/secrets/token /run/secrets/key | wc -c > /size',
      'ARG VERSION',
      'RUN echo "version $VERSION" && test "$(cat /size)" -eq 46'
    )
    await writeFile(join(suite.job.workspace, 'key.pem'), 'file-secret-5aa1e2')
    const [archive, env] = [join(suite.job.root, 'app.tar'), { TOKEN: 'variable-secret-77cc01-x-y-z', VERSION: '1.5' }]
    const inputs = { secrets: 'id=token,env=TOKEN\nid=key,src=key.pem', 'build-args': 'VERSION' }
    const { code, log } = await whole({ ...inputs, outputs: `type=oci,dest=${archive}` }, env)
    expect([code, log]).toEqual([0, expect.stringContaining('version 1.5')])
    expect(log).not.toMatch(/(file|variable)-secret/)
    const layers = join(suite.job.root, 'layers')
    await mkdir(layers)
    await run('tar', ['-xf', archive, '-C', layers])
    for (const blob of await readdir(join(layers, 'blobs/sha256'))) {
      const text = await run('sh', [
        '-c',
        'zcat -f "$1" | grep -aoE "(file|variable)-secret" || true',
        'sh',
        join(layers, 'blobs/sha256', blob)
      ])
      expect(text).toBe('')
    }
  })

  test('that fails tells the step, its status and its last lines', async () => {
    await dockerfile('RUN seq 1 40 && echo "the reason" >&2 && exit 42')
    const { code, log, outputs, commands } = await whole({})
    expect([code, log]).toEqual([42, expect.stringContaining('the reason')])
    expect(outputs).toMatchObject({ outcome: 'script-failed', 'exit-code': '42' })
    const [error = ''] = commands.filter(({ name }) => name === 'error').map(({ message }) => message)
    expect(error).toMatch(
      /^the build failed in \[2\/2\] RUN seq 1 40 .*, with status 42:\n {2}22\n[\s\S]* {2}40\n {2}the reason$/
    )
  })

  test('with a crash by a missing instruction says what it was', async () => {
    await dockerfile(`RUN sh -c 'kill -ILL $$'; exit $?`)
    const { code, log } = await whole({ platforms: 'linux/arm/v7' })
    expect([code, log]).toEqual([132, expect.stringContaining('SIGILL: a program uses an instruction')])
  })

  test('does not take longer than it may, even if the crash of an emulated process 1 hangs', async () => {
    await dockerfile('RUN kill -ILL $$')
    const { code, log } = await whole({ 'run-timeout': '8s' })
    expect([code, log]).toEqual([124, expect.stringContaining('the build took longer than `run-timeout`')])
  })

  test.each([
    ['SIGINT', 130],
    ['SIGKILL', null]
  ] as const)('that is cancelled by %s leaves nothing', async (signal, status) => {
    const before = await host()
    await dockerfile('RUN echo step "runs" && sleep 1000')
    const one = step({})
    const running = await one.start()
    await running.waitForLog(/step runs$/m, 60_000)
    running.kill(signal)
    expect((await running.done).code).toBe(status)
    expect((await one.post()).code).toBe(0)
    expect(await differenceAtRest(before, host)).toEqual(unchanged)
  })
})

test('handlers of a step of its own serve later steps as other actions would, until the job ends', async () => {
  const before = await host()
  const handlers = suite.job.step({ mode: 'user', platforms: 'linux/arm64,linux/arm/v7' })
  const { code, outputs } = await handlers.main()
  expect([code, outputs['platforms']]).toEqual([0, 'linux/amd64,linux/386,linux/arm64,linux/arm/v7'])

  await dockerfile('RUN uname -m > /machine')
  const out = join(suite.job.root, 'out')
  await run('docker', ['buildx', 'build', '--platform', 'linux/arm64,linux/arm/v7', '--output', out, context], {
    env: suite.job.environment()
  })
  const machine = (name: string): Promise<string> => readFile(join(out, name, 'machine'), 'utf8')
  expect([await machine('linux_arm64'), await machine('linux_arm_v7')]).toEqual(['aarch64\n', 'armv7l\n'])
  await rm(out, { recursive: true })

  expect((await handlers.post()).code).toBe(0)
  expect(await differenceAtRest(before, host)).toEqual(unchanged)
})

describe('faults', () => {
  const failed = async (
    inputs: Readonly<Record<string, string>>,
    env?: Readonly<Record<string, string>>
  ): Promise<string> => {
    const { code, log } = await whole(inputs, env)
    expect(code).toBe(125)
    return log
  }

  test('an engine that does not run', async () => {
    const log = await failed({}, { DOCKER_HOST: 'unix:///nowhere/docker.sock' })
    expect(log).toMatch(/docker is installed, but its engine does not answer: .*\/nowhere\/docker\.sock/)
  })

  test('no Buildx', async () => {
    const log = await failed({}, { DOCKER_CONFIG: join(suite.job.root, 'empty') })
    expect(log).toContain('docker has no Buildx')
    expect(log).toContain("Remedy: install Docker's docker-buildx-plugin")
  })

  test('a base image that is not made for a platform', async () => {
    await dockerfile()
    const log = await failed({ platforms: 'linux/arm64,linux/riscv64' })
    expect(log).toContain('Cause: a base image is not made for one of the platforms')
  })

  test('no Dockerfile', async () => {
    expect(await failed({})).toContain('Remedy: name it with `file`')
  })

  test('a registry that is not there', async () => {
    await dockerfile()
    const log = await failed({ tags: '127.0.0.1:1/app:1', push: 'true' })
    expect(log).toContain('Cause: the engine, or the registry, is not there or went away')
  })

  test('an engine that dies during the build', async () => {
    const before = await host()
    await dockerfile('RUN echo step "runs" && sleep 1000')
    const one = step({})
    const running = await one.start()
    await running.waitForLog(/step runs$/m, 60_000)
    await suite.engine.kill()
    const { code, log } = await running.done
    expect([code, log]).toEqual([125, expect.stringContaining('is not there or went away')])
    await suite.engine.startDaemon()
    expect((await one.post()).code).toBe(0)
    // The engine itself forgets a build that it was about, and what it had mounted for it.
    const { added, removed } = difference(before, await host())
    expect([...added, ...removed].filter(line => !suite.engine.owns(line))).toEqual([])
  })
})

describe('a builder of its own', () => {
  // Without its containerd image store the engine cannot build for several platforms by itself.
  beforeAll(async () => {
    await suite.engine.kill()
    await suite.engine.startDaemon({ containerdImages: false })
  })
  const several = { platforms: 'linux/arm64,linux/arm/v7', 'run-timeout': '60s' }
  const made = /^Builder: (pi-qemu-run-\w+), a new one: the engine's own cannot do several platforms/m

  test('is gone at the end, whether it could do the job or not', async () => {
    await dockerfile('RUN uname -m')
    const { log } = await whole(several)
    expect(log).toMatch(made)
    expect(await suite.engine.containers()).toEqual([])
  })

  test('is gone after SIGKILL', async () => {
    const before = await host()
    await dockerfile('RUN sleep 1000')
    const one = step(several)
    const running = await one.start()
    const [, name = ''] = await running.waitForLog(made, 60_000)
    while (!(await readdir(suite.engine.buildersFolder).catch(() => [''])).includes(name)) await sleep(20)
    running.kill('SIGKILL')
    await running.done
    expect((await one.post()).code).toBe(0)
    expect(await differenceAtRest(before, host)).toEqual(unchanged)
    expect(await suite.engine.containers()).toEqual([])
  })
})
