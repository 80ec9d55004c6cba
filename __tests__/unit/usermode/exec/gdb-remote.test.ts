import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { GdbRemote, packet, unescaped } from '../../../../src/usermode/exec/gdb-remote'
import { scratchFolder } from '../../scratch'

const scratch = scratchFolder()
const servers: Server[] = []
afterAll(() => {
  for (const server of servers) server.close()
})

/** Both ends of a connection, and what the far end got. */
async function ends(): Promise<{ readonly near: Socket; readonly far: Socket; readonly got: () => string }> {
  const path = join(scratch.fresh(), 'socket')
  const server = createServer({ allowHalfOpen: true }).listen(path)
  servers.push(server)
  await once(server, 'listening')
  const near = connect(path)
  const [far] = (await once(server, 'connection')) as [Socket]
  let got = ''
  far.on('data', chunk => (got += chunk.toString('latin1')))
  return { near, far, got: () => got }
}

test('a packet has a frame and a sum', () => {
  expect(packet('c')).toBe('$c#63')
  expect(packet('m10500,4')).toBe('$m10500,4#c3')
  expect(unescaped('a}\x03b}]')).toBe('a#b}')
})

test('a question is answered, whatever the pieces it comes in; what is unasked is acknowledged if that is wanted', async () => {
  const { near, far, got } = await ends()
  const unasked: string[] = []
  const remote = new GdbRemote(near, (text, acknowledge) => {
    unasked.push(text)
    if (text !== 'T1e') acknowledge()
  })
  const answer = remote.ask('pf')
  far.write('+$64')
  await sleep(20)
  far.write('050100#8f')
  expect(await answer).toBe('64050100')
  far.write(`${packet('T04')}${packet('T1e')}`)
  await sleep(20)
  expect(unasked).toEqual(['T04', 'T1e'])
  expect(got()).toBe(`${packet('pf')}++`)
  remote.end()
  remote.tell('c')
  await once(far, 'end')
  expect(got()).toBe(`${packet('pf')}++`)
  expect(await remote.ask('g')).toBe('')
  far.destroy()
})

test('without an answer it goes on: after a time, and when the other side goes away', async () => {
  const { near, far } = await ends()
  const remote = new GdbRemote(near, () => undefined)
  expect(await remote.ask('pf', 20)).toBe('')
  const answer = remote.ask('pf')
  far.destroy()
  expect(await answer).toBe('')
})
