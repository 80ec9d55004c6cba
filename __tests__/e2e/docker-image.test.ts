import { createHash } from 'node:crypto'
import { chmod, copyFile, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { freePort, isUp, ownKey, type OwnKey } from '../kit/booted'
import { nativeRoot } from '../kit/docker-bases'
import { DockerEngine } from '../kit/docker-engine'
import { dockerTraces, type DockerTraces } from '../kit/docker-traces'
import { difference, hostState, unchanged, type HostState } from '../kit/host-state'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { repository } from '../kit/runner'

jest.setTimeout(1_800_000)

const image = 'pi-qemu'
/** What the Pis of this file keep, as the documentation has it: one volume, used by one container at a time. */
const cache = ['--volume', 'pi-qemu-cache:/cache'] as const

let engine: DockerEngine
let key: OwnKey
let scratch: string
let bare: { readonly traces: DockerTraces; readonly host: HostState }

beforeAll(async () => {
  bare = { traces: await dockerTraces(), host: await hostState({ roots: [] }) }
  engine = await DockerEngine.start()
  const base = `${engine.registry}/debian:trixie-slim`
  await engine.docker('import', await nativeRoot(), base)
  await engine.docker('push', '--quiet', base)
  await engine.docker('build', '--quiet', '--build-arg', `BASE=${base}`, '--tag', image, repository)
  key = await ownKey()
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-container-'))
  await chmod(scratch, 0o755)
  await copyFile(await miniImage(), join(scratch, 'pi.img'))
})
afterAll(async () => {
  await engine.stop()
  await rm(scratch, { recursive: true, force: true })
  expect(await dockerTraces()).toEqual(bare.traces)
  expect(difference(bare.host, await hostState({ roots: [] }))).toEqual(unchanged)
})

const mounted = (): readonly string[] => [
  ...['--volume', `${scratch}/pi.img:/image.img:ro`, '--volume', `${key.publicFile}:/authorized_keys:ro`]
]

/** Starts a container with a Pi, and waits until that is up; returns what it said. */
async function started(name: string, options: readonly string[], command: readonly string[]): Promise<string> {
  await engine.docker('run', '--detach', '--name', name, ...mounted(), ...options, image, ...command)
  const deadline = Date.now() + 180_000
  for (;;) {
    const said = await saidBy(name)
    if (isUp.test(said)) return said
    const running = (await engine.docker('inspect', '--format', '{{.State.Running}}', name)).trim()
    if (running !== 'true' || Date.now() > deadline) throw new Error(`the Pi did not come up:\n${said}`)
    await sleep(300)
  }
}

/** `docker logs` keeps the two streams apart; ours goes to standard error. */
const saidBy = (name: string): Promise<string> =>
  run('sh', ['-c', 'exec docker logs "$1" 2>&1', 'sh', name], { env: engine.env })

/** Stops it as the documentation does; its status, and what it said at last. */
async function stopped(name: string): Promise<{ readonly status: string; readonly said: string }> {
  await engine.docker('stop', '-t', '90', name)
  const status = (await engine.docker('inspect', '--format', '{{.State.ExitCode}}', name)).trim()
  const said = await saidBy(name)
  await engine.docker('rm', '--volumes', name)
  return { status, said }
}

/** What is left of runs in the volume. */
const leftInCache = (): Promise<string> =>
  engine.docker(
    ...['run', '--rm', ...cache, '--user', 'root', '--entrypoint', 'find', image],
    ...['/cache/runs', '/cache/logs', '-mindepth', '1']
  )

test('a Pi boots without any privilege; SSH answers at the published port; stopping leaves nothing', async () => {
  const untouched = createHash('sha256')
    .update(await readFile(join(scratch, 'pi.img')))
    .digest('hex')
  const port = await freePort()
  const before = Date.now()
  const said = await started('plain', [...cache, '--publish', `127.0.0.1:${port}:2222`], ['boot', '--board', 'virt'])
  expect((Date.now() - before) / 1000).toBeLessThan(180)
  expect(said).toContain('With your own key: ssh -p 2222 root@127.0.0.1')
  expect(await key.ssh(port, 'root@127.0.0.1', 'uname -m; echo written > /root/file; sync')).toBe('aarch64\n')
  const [host] = JSON.parse(await engine.docker('inspect', '--format', '[{{json .HostConfig}}]', 'plain')) as readonly {
    readonly Privileged: boolean
    readonly CapAdd: unknown
    readonly Devices: unknown
  }[]
  expect([host?.Privileged, host?.CapAdd ?? [], host?.Devices ?? []]).toEqual([false, [], []])
  expect(await engine.docker('exec', 'plain', 'sh', '-c', 'id -un; grep CapEff /proc/self/status')).toBe(
    'pi-qemu\nCapEff:\t0000000000000000\n'
  )
  const { status, said: last } = await stopped('plain')
  expect([status, last]).toEqual(['0', expect.stringContaining('SIGTERM: the Pi is switched off in order')])
  expect(last).toMatch(/The Pi was switched off, \d+ s after/)
  expect(last).not.toContain('warning')
  expect(await leftInCache()).toBe('')
  expect(
    createHash('sha256')
      .update(await readFile(join(scratch, 'pi.img')))
      .digest('hex')
  ).toBe(untouched)
})

test('every command works: run, with its status, and images', async () => {
  const arguments_ = [
    '--image',
    '/image.img',
    '--board',
    'virt',
    '--sync',
    'none',
    '--',
    'sh',
    '-c',
    'uname -m; exit 5'
  ]
  const plain = ['run', '--rm', ...cache, ...mounted(), image]
  expect(await engine.docker(...plain, 'images')).toContain('mini-arm64')
  await expect(engine.docker(...plain, 'run', ...arguments_)).rejects.toThrow(/ended with 5\n/)
  expect(await engine.docker(...plain, 'boards')).toContain('raspi4b')
  expect(await leftInCache()).toBe('')
})

describe('network: tap', () => {
  // As root, so not with the volume of the others: what root wrote the usual user could not remove.
  const rights = ['--user', 'root', '--cap-add', 'NET_ADMIN', '--device', '/dev/net/tun'] as const

  test('the guest answers on its own address: to the host, and to another container', async () => {
    const said = await started('tap', [...rights], ['boot', '--board', 'virt', '--network', 'tap'])
    const address = /ssh root@([\d.]+)/.exec(said)?.[1] ?? ''
    const container = (await engine.docker('inspect', '--format', '{{.NetworkSettings.IPAddress}}', 'tap')).trim()
    const sameNetwork = (a: string): string => a.split('.').slice(0, 2).join('.')
    expect(address).not.toBe(container)
    expect(sameNetwork(address)).toBe(sameNetwork(container))
    expect(await key.ssh(22, `root@${address}`, 'ip -o -4 address show scope global')).toContain(` ${address}/30 `)
    const privateFile = key.publicFile.replace(/\.pub$/, '')
    const peer = ['run', '--rm', '--user', 'root', '--volume', `${privateFile}:/key:ro`, '--entrypoint', 'ssh', image]
    expect(await engine.docker(...peer, ...key.words(22, '/key'), `root@${address}`, 'uname -m')).toBe('aarch64\n')
    // Names are looked up as the container does it, whose server may be one that only it reaches.
    expect(await key.ssh(22, `root@${address}`, 'cat /etc/resolv.conf')).toMatch(/^nameserver 172\.\d+\.\d+\.\d+\n$/)
    const { status, said: last } = await stopped('tap')
    expect([status, last]).toEqual(['0', expect.stringContaining('The Pi was switched off')])
    expect(last).not.toContain('warning')
  })

  test('a container that may not is told how it may', async () => {
    const plain = engine.docker('run', '--rm', ...mounted(), image, 'boot', '--board', 'virt', '--network', 'tap')
    await expect(plain).rejects.toThrow(/`network: tap` needs root, the device \/dev\/net\/tun[^]*--cap-add NET_ADMIN/)
  })
})
