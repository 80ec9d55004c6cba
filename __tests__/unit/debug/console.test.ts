import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { boards } from '../../../src/boards'
import { consoleUart } from '../../../src/commands/console'
import { attachConsole, typed } from '../../../src/debug/console'
import { HostFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** A console that greets, and keeps what is typed. */
async function guestConsole(greets: (socket: Socket) => void): Promise<{ path: string; typed: () => string }> {
  // Longer than a socket's address may be.
  const folder = scratch.fresh()
  const path = join(folder, 'serial0.sock')
  let input = ''
  const server = createServer(socket => {
    socket.on('data', chunk => (input += chunk.toString('latin1')))
    greets(socket)
  })
  servers.push(server)
  await new Promise<void>(resolve => server.listen(path, resolve))
  return { path, typed: () => input }
}

/** A terminal: what it shows, and whether it is raw. */
function terminal(): {
  stdin: PassThrough & { isTTY: boolean; setRawMode: (on: boolean) => void }
  stdout: PassThrough
  raw: boolean[]
  shown: () => string
} {
  const raw: boolean[] = []
  const stdin = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => void raw.push(on) })
  const stdout = new PassThrough()
  let shown = ''
  stdout.on('data', (chunk: Buffer) => (shown += chunk.toString('latin1')))
  return { stdin, stdout, raw, shown: () => shown }
}

test('every key goes to the guest, Ctrl-C too, and Ctrl-] leaves', async () => {
  const { stdin, stdout, raw, shown } = terminal()
  const guest = await guestConsole(socket => socket.write('pi login: '))
  const end = await attachConsole(guest.path, stdin, stdout, () => {
    expect(raw).toEqual([true])
    stdout.once('data', () => stdin.write('root\r\x03\x1dnever sent'))
  })
  expect(end).toBe('left')
  expect(shown()).toBe('pi login: ')
  expect(raw).toEqual([true, false])
  await new Promise(resolve => setTimeout(resolve, 50))
  expect(guest.typed()).toBe('root\r\x03')
})

test('a guest that is gone ends it, and the terminal is as it was', async () => {
  const { stdin, stdout, raw, shown } = terminal()
  const { path } = await guestConsole(socket => socket.end('reboot: Power down\r\n'))
  expect(await attachConsole(path, stdin, stdout)).toBe('closed')
  expect(shown()).toBe('reboot: Power down\r\n')
  expect(raw).toEqual([true, false])
})

test('input that ends leaves the console open', async () => {
  const { stdout } = terminal()
  const pipe = new PassThrough()
  const guest = await guestConsole(socket => socket.once('data', () => setTimeout(() => socket.end('done'), 50)))
  pipe.end('poweroff\r')
  expect(await attachConsole(guest.path, pipe, stdout)).toBe('closed')
  expect(guest.typed()).toBe('poweroff\r')
})

test('where nobody listens, the failure names the socket', async () => {
  const { stdin, stdout, raw } = terminal()
  const missing = join(scratch.root, 'gone', 'serial0.sock')
  const failure = await attachConsole(missing, stdin, stdout).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(HostFailure)
  expect((failure as HostFailure).message).toContain(missing)
  expect(raw).toEqual([])
})

test('what was typed before Ctrl-] still goes to the guest', () => {
  expect(typed(Buffer.from('ls\x1dx'))).toEqual({ text: Buffer.from('ls'), leaves: true })
  expect(typed(Buffer.from('ls'))).toEqual({ text: Buffer.from('ls'), leaves: false })
})

test.each([
  ['mainline on a Pi', 'raspi3b', ['console=tty1', 'console=ttyAMA0,115200'], 0],
  ["Raspberry Pi's kernel on a Pi", 'raspi3b', ['console=ttyAMA1,115200', 'console=ttyS0,115200'], 1],
  ["the user's own, in `append`", 'raspi3b', ['console=ttyS0,115200', 'quiet console=ttyAMA0'], 0],
  ['virt has one UART', 'virt', ['console=ttyS0'], 0]
] as const)('the console of %s', (_, board, kernelArguments, uart) => {
  expect(consoleUart({ board: boards[board], kernelArguments })).toBe(uart)
})
