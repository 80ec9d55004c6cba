import { chmod, chown, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { baseRoot } from '../kit/docker-bases'
import { dockerSuite } from '../kit/docker-suite'
import { difference, unchanged } from '../kit/host-state'
import { run } from '../kit/run'

jest.setTimeout(300_000)

const suite = dockerSuite(['arm64', 'armhf'])
const { host, step, whole } = suite

let image: string
beforeAll(() => {
  image = `${suite.engine.registry}/debian:bookworm`
})

describe('a script in a container', () => {
  test('runs on its platform, with the environment, in the workspace itself', async () => {
    await writeFile(join(suite.job.workspace, 'given'), 'from the host\n')
    const script = [
      'uname -m; cat given; echo "$GREETING"; echo "$MULTI"',
      'grep -c . /proc/1/environ; tr "\\0" " " < /proc/1/cmdline; echo',
      'id -u; pwd; echo made > made; exit 7'
    ].join('\n')
    const env = `GREETING=it's "quoted" $HOME\nMULTI=$(false)`
    const { code, stdout, outputs, log } = await whole({
      container: image,
      platforms: 'linux/arm/v7',
      run: script,
      env
    })
    expect(outputs).toMatchObject({ outcome: 'script-failed', 'exit-code': '7' })
    expect([code, stdout]).toEqual([
      7,
      expect.stringContaining('armv7l\nfrom the host\nit\'s "quoted" $HOME\n$(false)\n')
    ])
    expect(stdout).toContain(`0\n${suite.job.workspace}\n`)
    expect(log).toContain('arm: QEMU 7.2')
    expect(await readFile(join(suite.job.workspace, 'made'), 'utf8')).toBe('made\n')
  })

  test('shows the CPU of a Pi to every program, whatever its environment', async () => {
    const script = 'env -i LD_SHOW_AUXV=1 /bin/true | grep HWCAP:'
    const shown = async (cpu: Readonly<Record<string, string>>): Promise<number> => {
      const { stdout } = await whole({ container: image, sync: 'none', run: script, ...cpu })
      return Number.parseInt(/AT_HWCAP:\s+([0-9a-f]+)/.exec(stdout)?.[1] ?? '', 16)
    }
    // Bit 22 is SVE, which no Pi has and QEMU's own choice of a CPU does.
    expect(((await shown({})) >> 22) & 1).toBe(0)
    expect(((await shown({ 'qemu-cpu': 'max' })) >> 22) & 1).toBe(1)
  })

  test("ends with the script's status, also if that is one of ours, or tells of a signal", async () => {
    const got: (number | null)[] = []
    for (const script of ['exit 125', 'exit 127', 'kill -ILL $$', 'kill -KILL $$'])
      got.push((await whole({ container: image, sync: 'none', run: script })).code)
    expect(got).toEqual([125, 127, 132, 137])
  })

  test('gives what root made to the owner of the workspace', async () => {
    await chown(suite.job.workspace, 1234, 1234)
    await chmod(suite.job.root, 0o755)
    await writeFile(join(suite.job.workspace, 'roots-own'), 'x')
    const { code } = await whole({ container: image, run: 'mkdir new; echo x > new/file; ln -s nowhere new/link' })
    expect(code).toBe(0)
    const owner = async (name: string): Promise<number> => (await stat(join(suite.job.workspace, name))).uid
    expect([await owner('new'), await owner('new/file'), await owner('roots-own')]).toEqual([1234, 1234, 0])
  })

  test('does not run longer than it may', async () => {
    const started = Date.now()
    const result = await whole({ container: image, run: 'trap "" TERM; sleep 1000; sleep 1000', 'run-timeout': '3s' })
    expect(Date.now() - started).toBeLessThan(60_000)
    expect(result.code).toBe(124)
    expect(result.outputs['outcome']).toBe('timeout')
  })

  test('takes an archive of `docker save`, and a root file system, and leaves neither in the engine', async () => {
    const [archive, root] = [join(suite.job.workspace, 'app.tar'), await baseRoot('armhf')]
    await suite.engine.docker('pull', '--quiet', '--platform', 'linux/arm64', image)
    await suite.engine.docker('tag', image, 'saved:1')
    await suite.engine.docker('save', '--output', archive, 'saved:1')
    await suite.engine.docker('image', 'rm', 'saved:1')
    const images = await suite.engine.images()
    const saved = await whole({ container: './app.tar', run: 'uname -m' })
    expect([saved.code, saved.stdout]).toEqual([0, expect.stringContaining('aarch64\n')])
    const imported = await whole({ container: root, platforms: 'linux/arm/v7', run: 'uname -m' })
    expect([imported.code, imported.stdout]).toEqual([0, expect.stringContaining('armv7l\n')])
    expect(await suite.engine.images()).toEqual(images)
  })

  test('is cancelled with all that is of it', async () => {
    for (const [signal, status] of [
      ['SIGINT', 130],
      ['SIGKILL', null]
    ] as const) {
      const before = await host()
      const one = step({ container: image, run: 'echo script runs; sleep 1000' })
      const running = await one.start()
      await running.waitForLog(/^script runs$/m, 60_000)
      running.kill(signal)
      expect((await running.done).code).toBe(status)
      expect((await one.post()).code).toBe(0)
      expect(await suite.engine.containers()).toEqual([])
      expect(difference(before, await host())).toEqual(unchanged)
    }
  })
})

describe('faults', () => {
  const failed = async (
    inputs: Readonly<Record<string, string>>,
    env?: Readonly<Record<string, string>>
  ): Promise<string> => {
    const { code, log } = await whole({ run: 'true', ...inputs }, env)
    expect(code).toBe(125)
    return log
  }

  test('an engine that does not run', async () => {
    const log = await failed({ container: image }, { DOCKER_HOST: 'unix:///nowhere/docker.sock' })
    expect(log).toMatch(/docker is installed, but its engine does not answer: .*\/nowhere\/docker\.sock/)
    expect(log).toContain('Remedy: start it: sudo systemctl start docker')
  })

  test('no engine at all', async () => {
    const tools = join(suite.job.root, 'tools-only')
    await run('sh', ['-c', 'mkdir "$1" && ln -s /usr/bin/* "$1" && rm -f "$1"/docker "$1"/podman', 'sh', tools])
    const log = await failed({ container: image }, { PATH: tools })
    expect(log).toContain('this host has neither docker nor podman')
    expect(log).toContain('Remedy: install one: sudo apt-get install docker.io, or podman')
  })

  test('an image that is not made for the platform', async () => {
    const log = await failed({ container: image, platforms: 'linux/riscv64' })
    expect(log).toMatch(/could not be created from \S+ for linux\/riscv64: .*no match for platform/)
    expect(log).toContain('Cause: the image is not made for this platform')
  })

  test('an image that does not exist', async () => {
    const log = await failed({ container: `${suite.engine.registry}/nothing:1` })
    expect(log).toContain('Cause: the registry has no such image')
  })

  test('an image that says that it is of another platform than it is', async () => {
    const wrong = { container: await baseRoot('armhf'), platforms: 'linux/arm64' }
    expect(await failed(wrong)).toMatch(/no program runs in \S+: .*exec format error/i)
    const both = step({})
    expect((await both.main()).code).toBe(0)
    expect(await failed(wrong)).toMatch(/is for armv7l, and `platforms` asks for linux\/arm64/)
    expect((await both.post()).code).toBe(0)
  })

  test('an image without a shell', async () => {
    await writeFile(join(suite.job.workspace, 'Dockerfile'), 'FROM scratch\nCOPY Dockerfile /\n')
    await suite.engine.docker(
      'buildx',
      'build',
      '--quiet',
      '--platform',
      'linux/arm64',
      '--tag',
      'empty:1',
      suite.job.workspace
    )
    const log = await failed({ container: 'empty:1' })
    await suite.engine.docker('image', 'rm', 'empty:1')
    expect(log).toMatch(/there is no shell in empty:1: /)
    expect(log).toContain('Remedy: use an image with a shell')
  })

  test('a user, or a folder, that the image does not have', async () => {
    expect(await failed({ container: image, user: 'nobody-here' })).toContain('there is no such user in')
    expect(await failed({ container: image, 'working-directory': '/nowhere' })).toContain(
      'input `working-directory` is “/nowhere”, which the container does not have'
    )
  })

  test('an engine that dies while the script runs', async () => {
    const one = step({ container: image, run: 'echo script runs; sleep 1000' })
    const running = await one.start()
    await running.waitForLog(/^script runs$/m, 60_000)
    await suite.engine.kill()
    const { code, log } = await running.done
    expect([code, log]).toEqual([125, expect.stringMatching(/the container was lost while its script ran/)])
    await suite.engine.startDaemon()
    expect((await one.post()).code).toBe(0)
    expect(await suite.engine.containers()).toEqual([])
  })
})
