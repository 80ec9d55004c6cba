import { mkdirSync, readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { Qmp } from '../../../src/qemu/qmp'
import { scratchFolder } from '../scratch'

interface Command {
  readonly execute: string
  readonly arguments: Readonly<Record<string, unknown>>
  readonly id: number
}
type Answer = (command: Command, send: (reply: object) => void, socket: Socket) => void

const scratch = scratchFolder()
const open: { readonly server: Server; readonly sockets: Set<Socket> }[] = []
const clients: Qmp[] = []

afterEach(async () => {
  for (const client of clients.splice(0)) client.close()
  for (const { server, sockets } of open.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  }
})

/** A QEMU that has nothing but its machine protocol. Returns the folder of its socket, and what it was told. */
async function fakeQemu(
  answer: Answer,
  folder = scratch.fresh()
): Promise<{ readonly folder: string; readonly told: Command[] }> {
  const told: Command[] = []
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    const send = (reply: object): void => void socket.write(`${JSON.stringify(reply)}\r\n`)
    send({ QMP: { version: { qemu: { major: 7, minor: 2 } }, capabilities: [] } })
    createInterface({ input: socket })
      .on('error', () => undefined)
      .on('line', line => {
        const command = JSON.parse(line) as Command
        told.push(command)
        answer(command, send, socket)
      })
  })
  open.push({ server, sockets })
  // As QEMU does it: by a relative name, from within the folder, which may be too long for a socket's address.
  const home = process.cwd()
  process.chdir(folder)
  await new Promise<void>(resolve => server.listen('qmp.sock', resolve))
  process.chdir(home)
  return { folder, told }
}

const obliging: Answer = ({ id, execute }, send) => {
  send({ return: execute === 'human-monitor-command' ? 'Hub -1 (net0):\r\n' : {}, id })
}

async function connect(folder: string, timeout?: number): Promise<Qmp> {
  const qmp = await Qmp.connect(folder, 'qmp.sock', timeout)
  clients.push(qmp)
  return qmp
}

/** How a promise ends, if it does within a moment. */
function fate(promise: Promise<unknown>): Promise<string> {
  const settled = promise.then(
    value => `resolved: ${JSON.stringify(value)}`,
    (error: unknown) => `rejected: ${(error as Error).message}`
  )
  return Promise.race([settled, sleep(1000, 'still waiting', { ref: false })])
}

test('the negotiation mode is left before anything else', async () => {
  const { folder, told } = await fakeQemu(obliging)
  const qmp = await connect(folder)
  await qmp.execute('query-status', { verbose: true })
  expect(told.map(command => [command.execute, command.arguments])).toEqual([
    ['qmp_capabilities', {}],
    ['query-status', { verbose: true }]
  ])
})

test('the human monitor answers with text', async () => {
  const { folder, told } = await fakeQemu(obliging)
  expect(await (await connect(folder)).human('info usernet')).toBe('Hub -1 (net0):\r\n')
  expect(told.at(-1)?.arguments).toEqual({ 'command-line': 'info usernet' })
})

test('answers find their commands, whatever their order, and events do not disturb', async () => {
  const held: Command[] = []
  const { folder } = await fakeQemu((command, send) => {
    if (command.execute === 'qmp_capabilities') {
      send({ return: {}, id: command.id })
      return
    }
    held.push(command)
    send({ event: 'RESUME', timestamp: { seconds: 1, microseconds: 2 } })
    if (held.length < 3) return
    for (const { id, execute } of held.reverse()) send({ return: `answer to ${execute}`, id })
  })
  const qmp = await connect(folder)
  const answers = await Promise.all(['a', 'b', 'c'].map(name => qmp.execute(name)))
  expect(answers).toEqual(['answer to a', 'answer to b', 'answer to c'])
})

test('an answer that arrives in pieces is put together', async () => {
  const { folder } = await fakeQemu(({ id }, _, socket) => {
    const text = `${JSON.stringify({ return: 'grün', id })}\r\n`
    const bytes = Buffer.from(text)
    const middle = bytes.indexOf(0xc3) + 1
    socket.write(bytes.subarray(0, middle))
    setTimeout(() => socket.write(bytes.subarray(middle)), 20)
  })
  expect(await (await connect(folder)).execute('x')).toBe('grün')
})

test('a refused command fails with what QEMU says', async () => {
  const { folder } = await fakeQemu(({ id, execute }, send) => {
    if (execute === 'qmp_capabilities') send({ return: {}, id })
    else send({ error: { class: 'CommandNotFound', desc: 'The command nonsense has not been found' }, id })
  })
  const qmp = await connect(folder)
  expect(await fate(qmp.execute('nonsense'))).toBe('rejected: The command nonsense has not been found')
})

test('commands under way fail when QEMU goes away', async () => {
  const { folder } = await fakeQemu(({ id, execute }, send, socket) => {
    if (execute === 'qmp_capabilities') send({ return: {}, id })
    else if (execute === 'last') socket.destroy()
  })
  const qmp = await connect(folder)
  const fates = Promise.all([fate(qmp.execute('first')), fate(qmp.execute('last'))])
  expect(await fates).toEqual(Array(2).fill('rejected: QEMU closed the connection'))
})

test('a command after QEMU has gone away fails, too, instead of waiting for ever', async () => {
  const { folder } = await fakeQemu(({ id, execute }, send, socket) => {
    if (execute === 'qmp_capabilities') send({ return: {}, id })
    else socket.destroy()
  })
  const qmp = await connect(folder)
  await fate(qmp.execute('quit'))
  expect(await fate(qmp.execute('query-status'))).toMatch(/^rejected: /)
})

test('a command after closing fails, too', async () => {
  const { folder } = await fakeQemu(obliging)
  const qmp = await connect(folder)
  qmp.close()
  await sleep(20)
  expect(await fate(qmp.execute('query-status'))).toMatch(/^rejected: /)
})

test('a QEMU that does not answer is given up', async () => {
  const { folder } = await fakeQemu(() => undefined)
  expect(await fate(Qmp.connect(folder, 'qmp.sock', 100))).toMatch(/^rejected: /)
})

test('where nobody listens there is no connection', async () => {
  expect(await fate(Qmp.connect(scratch.fresh(), 'qmp.sock'))).toMatch(/^rejected: .*ENOENT/)
})

test('a folder whose path is longer than the 107 bytes of a socket address is no hindrance', async () => {
  const folder = join(scratch.fresh(), 'deep/'.repeat(30))
  mkdirSync(folder, { recursive: true })
  expect(join(folder, 'qmp.sock').length).toBeGreaterThan(107)
  const qmp = await connect((await fakeQemu(obliging, folder)).folder)
  expect(await qmp.execute('query-status')).toEqual({})
})

test('all that is said is written down where that is asked for, and a log that cannot be written hinders nothing', async () => {
  const { folder } = await fakeQemu(obliging)
  const log = join(scratch.fresh(), 'qmp.log')
  const qmp = await Qmp.connect(folder, 'qmp.sock', undefined, log)
  clients.push(qmp)
  await qmp.execute('query-status')
  const time = '\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z'
  const lines = readFileSync(log, 'utf8').trim().split('\n')
  expect(lines.slice(-2)).toEqual([
    expect.stringMatching(new RegExp(`^${time} > {"execute":"query-status","arguments":{},"id":2}$`)),
    expect.stringMatching(new RegExp(`^${time} < {"return":{},"id":2}$`))
  ])
  const other = await fakeQemu(obliging)
  const deaf = await Qmp.connect(other.folder, 'qmp.sock', undefined, '/nowhere/qmp.log')
  clients.push(deaf)
  await expect(deaf.execute('query-status')).resolves.toEqual({})
})
