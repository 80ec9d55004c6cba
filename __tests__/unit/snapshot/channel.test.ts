import { createConnection, type Socket } from 'node:net'
import { join } from 'node:path'
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

const heard = (socket: Socket, bytes: number): Promise<string> =>
  new Promise(resolve => {
    let text = ''
    socket.on('data', chunk => {
      text += chunk.toString()
      if (Buffer.byteLength(text) >= bytes) resolve(text)
    })
  })

test('a script goes out with its length in bytes, and the answer comes back with status and output', async () => {
  const channel = await Channel.listen(folder, 'line')
  const answer = channel.run('echo “hi”\n')
  const guest = await connect()
  expect(await heard(guest, 17)).toBe('14\necho “hi”\n')
  guest.write('3 9\nsome')
  guest.write(' text')
  expect(await answer).toEqual({ code: 3, output: 'some text' })
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

test('hanging up tells the agent to end, and nobody else can connect', async () => {
  const channel = await Channel.listen(folder, 'line')
  const guest = await connect()
  const last = heard(guest, 2)
  await channel.hangUp()
  expect(await last).toBe('0\n')
  await expect(
    new Promise((resolve, reject) =>
      createConnection(join(folder, 'line'), () => {
        resolve('connected')
      }).on('error', reject)
    )
  ).rejects.toThrow(/ENOENT|ECONNREFUSED/)
})
