import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { Channel } from '../../../src/snapshot/channel'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

let folder: string
beforeEach(() => {
  folder = scratch.fresh()
})

/** What QEMU does for the guest's side. */
const connect = (): Promise<Socket> =>
  new Promise(resolve => {
    const socket = createConnection(join(folder, 'line'), () => {
      resolve(socket)
    })
  })

/** A guest whose agent is the shell of this host. */
async function agent(): Promise<ChildProcess> {
  const [socket, shell] = [
    await connect(),
    spawn('dash', ['-s'], { cwd: folder, stdio: ['pipe', 'inherit', 'inherit', 'pipe'] })
  ]
  shell.stdin?.on('error', () => undefined)
  socket.pipe(shell.stdin as Writable)
  ;(shell.stdio[3] as Readable).pipe(socket)
  return shell
}

test('texts are run one after the other, each in a shell of its own, and the answer has status and output', async () => {
  const channel = await Channel.listen(folder, 'line')
  const first = channel.run('x=1; echo “hi”; echo and more >&2; exit 3\n')
  const shell = await agent()
  expect(await first).toEqual({ code: 3, output: '“hi”\nand more\n' })
  expect(await channel.run('echo "[$x]"\nread -r nothing || true\n')).toEqual({ code: 0, output: '[]\n' })
  expect(await channel.run(`true ${'x'.repeat(100_000)}\n`)).toEqual({ code: 0, output: '' })
  const ended = once(shell, 'exit')
  await channel.hangUp()
  expect(await ended).toEqual([0, null])
  expect(existsSync(join(folder, 'over'))).toBe(true)
})

test('what a text starts does not have the channel', async () => {
  const channel = await Channel.listen(folder, 'line')
  const shell = await agent()
  expect((await channel.run('(echo taken >&3) 2>/dev/null || echo none\n')).output).toBe('none\n')
  shell.kill()
  channel.close()
})

test('answers are told apart, also when they arrive in one piece', async () => {
  const channel = await Channel.listen(folder, 'line')
  const answers = Promise.all([channel.run('a'), channel.run('b')])
  const guest = await connect()
  guest.write('0 2\n1\n1 0\n')
  expect(await answers).toEqual([
    { code: 0, output: '1\n' },
    { code: 1, output: '' }
  ])
  channel.close()
})

test('nobody else can connect', async () => {
  const channel = await Channel.listen(folder, 'line')
  await connect()
  await channel.hangUp()
  await expect(
    new Promise((resolve, reject) =>
      createConnection(join(folder, 'line'), () => {
        resolve('connected')
      }).on('error', reject)
    )
  ).rejects.toThrow(/ENOENT|ECONNREFUSED/)
})
