import { createHash } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { booted, freePort, ownKey, type OwnKey } from '../kit/booted'
import { cli } from '../kit/cli'
import { difference, hostState, unchanged, type HostState } from '../kit/host-state'
import { miniImage } from '../kit/mini-image'
import { needs } from '../kit/needs'
import { networkNamespace, type NetworkNamespace } from '../kit/network-namespace'
import { run } from '../kit/run'
import { sharedHome } from '../kit/runner'

jest.setTimeout(300_000)

let scratch: string
let key: OwnKey
beforeAll(async () => {
  await needs(['iproute2', 'dnsmasq-base', 'procps', 'util-linux'])
  key = await ownKey()
})
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-boot-'))
})
afterEach(() => rm(scratch, { recursive: true, force: true }))

const look = (): Promise<HostState> => hostState({ roots: [join(sharedHome, 'runs')] })
const virt = ['--board', 'virt'] as const
const digest = async (file: string): Promise<string> =>
  createHash('sha256')
    .update(await readFile(file))
    .digest('hex')

describe('boot', () => {
  test("lets the user's own key in at a fixed port, reaches servers of the host at 10.0.2.2, and ends in order", async () => {
    const server: Server = createServer((_, response) => response.end('hello from the host\n'))
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port: serverPort } = server.address() as AddressInfo
    const before = await look()
    const port = await freePort()
    const pi = await booted([...virt, '--ssh-port', String(port), '--authorized-keys', key.publicFile])
    expect(pi.said).toContain(`With your own key: ssh -p ${port} root@127.0.0.1`)
    expect(await key.ssh(port, 'root@127.0.0.1', 'uname -m')).toBe('aarch64\n')
    expect(await key.ssh(port, 'root@127.0.0.1', `wget -qO- http://10.0.2.2:${serverPort}/`)).toBe(
      'hello from the host\n'
    )
    const listeners = difference(before, await look()).added.filter(line => line.includes(' port '))
    expect(listeners).toEqual([`tcp port ${port} on 127.0.0.1`])
    process.kill(pi.pid, 'SIGTERM')
    const { code, stdout, stderr } = await pi.done
    expect([code, stdout]).toEqual([0, ''])
    expect(stderr).toMatch(/SIGTERM: the Pi is switched off in order[^]*The Pi was switched off, \d+ s after/)
    expect(stderr).not.toContain('warning')
    expect(difference(before, await look())).toEqual(unchanged)
    server.close()
  })

  test('of a file never writes it; what the guest changed is kept by `save-image`, without the key of the user', async () => {
    const before = await look()
    const [image, saved, port] = [await miniImage(), join(scratch, 'saved.img'), await freePort()]
    const own = ['--ssh-port', String(port), '--authorized-keys', key.publicFile]
    const untouched = await digest(image)
    const pi = await booted([image, ...virt, ...own, '--save-image', saved])
    await key.ssh(port, 'root@127.0.0.1', 'echo kept > /etc/kept; poweroff')
    const { code, stderr } = await pi.done
    expect([code, stderr]).toEqual([0, expect.stringContaining('The guest switched itself off')])
    expect(await digest(image)).toBe(untouched)
    const offset = /start= *(\d+).*type=83/.exec(await run('sfdisk', ['--dump', saved]))?.[1] ?? ''
    const inSaved = (command: string): Promise<string> =>
      run('debugfs', ['-R', command, `${saved}?offset=${Number(offset) * 512}`])
    expect(await inSaved('cat /etc/kept')).toBe('kept\n')
    expect(await inSaved('ls -p /etc/pi-qemu')).not.toContain('authorized_keys')
    expect(difference(before, await look())).toEqual(unchanged)
  })

  test('says which port is taken', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { code, stderr } = await cli(['boot', ...virt, '--ssh-port', String(port)])
    server.close()
    expect([code, stderr]).toEqual([125, expect.stringMatching(new RegExp(`host forwarding rule.*:${port}-`))])
    expect(stderr).toContain('`ssh-port`, is taken by another program')
  })

  test('refuses what it cannot do, before anything is started', async () => {
    const home = join(scratch, 'home')
    const words = ['boot', 'mini-arm64', '--sync', 'both', '--keep-running', '--', 'true']
    const { code, stderr } = await cli(words, { home })
    expect(code).toBe(125)
    for (const fault of ['`boot` runs no script', '`boot` brings nothing back', '`boot` ends with its Pi'])
      expect(stderr).toContain(fault)
    expect((await cli(['boot', '--listen', 'everywhere'])).stderr).toContain('flag `--listen` is “everywhere”')
  })
})

describe('network: tap', () => {
  let network: NetworkNamespace
  beforeEach(async () => {
    network = await networkNamespace()
  })
  afterEach(() => network.remove())

  const addressIn = (said: string): string => /ssh root@([\d.]+)/.exec(said)?.[1] ?? ''
  const tap = (): readonly string[] => [...virt, '--network', 'tap', '--authorized-keys', key.publicFile]

  test('the guest answers its neighbours on its own address, and reaches them; then all is as before', async () => {
    const [host, state] = [await look(), await network.state()]
    const pi = await booted(tap(), { under: network.under })
    const address = addressIn(pi.said)
    expect(address).toMatch(/^203\.0\.113\.\d+$/)
    // This host is a neighbour in that network, and knows no route to the guest but the network's own.
    expect(await key.ssh(22, `root@${address}`, 'ip -o -4 address show scope global')).toContain(` ${address}/30 `)
    const server = createServer((request, response) => response.end(request.socket.remoteAddress))
    await new Promise<void>(resolve => server.listen(0, '203.0.113.1', resolve))
    const { port } = server.address() as AddressInfo
    expect(await key.ssh(22, `root@${address}`, `wget -qO- http://203.0.113.1:${port}/`)).toBe(address)
    server.close()
    process.kill(pi.pid, 'SIGINT')
    expect((await pi.done).code).toBe(0)
    expect(await network.state()).toBe(state)
    expect(difference(host, await look())).toEqual(unchanged)
  })

  test('what a run that was killed left on the host is put back by `clean`', async () => {
    await cli(['clean']) // what earlier runs left is not to be taken for this one's
    const [host, state] = [await look(), await network.state()]
    const pi = await booted(tap(), { under: network.under })
    process.kill(pi.pid, 'SIGKILL')
    await pi.done
    expect(await network.state()).toContain('pq-')
    expect((await cli(['clean'], { under: network.under })).code).toBe(0)
    expect(await network.state()).toBe(state)
    expect(difference(host, await look())).toEqual(unchanged)
    expect(await run('pgrep', ['-f', 'dnsmasq .*--interface=pq-'], { tolerate: true })).toBe('')
  })

  test('without the right to it is refused at once, and told how to get it', async () => {
    const under = [...network.under, 'setpriv', '--bounding-set=-net_admin', '--inh-caps=-net_admin']
    const { code, stderr, seconds } = await cli(['boot', ...tap()], { under })
    expect([code, stderr]).toEqual([125, expect.stringContaining('`network: tap` needs the capability NET_ADMIN')])
    expect(stderr).toContain('Remedy: in a container: docker run --user root --cap-add NET_ADMIN --device /dev/net/tun')
    expect(seconds).toBeLessThan(10)
  })
})
