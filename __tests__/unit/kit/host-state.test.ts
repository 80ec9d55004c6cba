import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { difference, hostState, type HostState } from '../../kit/host-state'

let root: string
let before: HostState

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'pi-qemu-test-state-'))
  before = await hostState({ roots: [root] })
})
afterEach(() => rm(root, { recursive: true }))

/** Other tests and people share this host: look only at what this one made. */
const added = async (ours: RegExp): Promise<readonly string[]> =>
  difference(before, await hostState({ roots: [root] })).added.filter(line => ours.test(line))

it('sees a process marked as ours, until it ends', async () => {
  const child = spawn('sleep', ['60'], { env: { ...process.env, PI_QEMU_RUN: 'test' } })
  await once(child, 'spawn')
  const line = new RegExp(`^process ${child.pid ?? 0} \\(started at tick \\d+\\): sleep 60$`)
  expect(await added(line)).toHaveLength(1)
  child.kill()
  await once(child, 'exit')
  expect(await added(line)).toEqual([])
})

it('sees listening TCP and unix sockets', async () => {
  const [tcp, unix] = [createServer(), createServer()]
  const path = join(root, 'qmp.sock')
  await once(tcp.listen(0, '127.0.0.1'), 'listening')
  await once(unix.listen(path), 'listening')
  const { port } = tcp.address() as AddressInfo
  expect(await added(new RegExp(`^tcp .*\\b${port}\\b`))).toEqual([`tcp port ${port} on 127.0.0.1`])
  expect(await added(/^unix/)).toEqual(expect.arrayContaining([`unix socket ${path}`]))
  for (const server of [tcp, unix]) await once(server.close(), 'close')
  expect(await added(new RegExp(`\\b${port}\\b|qmp.sock`))).toEqual([])
})

it('sees files in the given folders and in the temporary folder, and what is gone', async () => {
  await mkdir(join(root, 'deep'))
  await writeFile(join(root, 'deep/overlay.qcow2'), '')
  const stray = await mkdtemp(join(tmpdir(), 'pi-qemu-kit-'))
  expect(await added(new RegExp(`${root}|${stray}`))).toEqual([
    `file ${root}/deep/overlay.qcow2`,
    ...[`folder ${stray}`, `folder ${root}/deep`].sort()
  ])
  const during = await hostState({ roots: [root] })
  await rm(stray, { recursive: true })
  expect(difference(during, await hostState({ roots: [root] })).removed).toContain(`folder ${stray}`)
})

it('sees mounts and the state of binfmt_misc', () => {
  expect([...before]).toEqual(expect.arrayContaining([expect.stringMatching(/^mount \/proc \(proc /)]))
})
