import { createServer, type AddressInfo, type Server as NetServer, Socket } from 'node:net'
import { Server as SshServer, utils } from 'ssh2'
import { GuestSession, knock, LoginError, type Login } from '../../../src/guest/ssh'

const listening: { readonly server: NetServer; readonly sockets: Set<Socket> }[] = []
afterEach(async () => {
  for (const { server, sockets } of listening.splice(0)) {
    for (const socket of sockets) socket.destroy()
    await new Promise(resolve => server.close(resolve))
  }
})

/** Something that listens on 127.0.0.1; returns its port. */
async function listen(greet: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server = createServer(socket => {
    sockets.add(socket)
    socket.on('error', () => undefined).setNoDelay(true)
    greet(socket)
  })
  listening.push({ server, sockets })
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const complaint = (attempt: Promise<unknown>): Promise<unknown> =>
  attempt.then(
    () => 'let in',
    (error: unknown) => (error instanceof LoginError ? [error.message, error.refused] : error)
  )

describe('knocking', () => {
  test('is answered by the greeting, which is still there to be read', async () => {
    const port = await listen(socket => void socket.write('SSH-2.0-dropbear_2022.83\r\n'))
    const socket = await knock(port, 5000)
    const first = await new Promise<string>(resolve => {
      socket.once('data', data => {
        resolve(data.toString())
      })
    })
    expect(first).toBe('SSH-2.0-dropbear_2022.83\r\n')
    socket.destroy()
  })

  test('at a door that opens and stays silent is given up: QEMU opens it before the guest does', async () => {
    const port = await listen(() => undefined)
    expect(await complaint(knock(port, 100))).toEqual(['no greeting from the SSH server', false])
  })

  test('at a door that opens and shuts is given up at once', async () => {
    const port = await listen(socket => socket.end())
    expect(await complaint(knock(port, 60_000))).toEqual(['connection closed before a greeting', false])
  })

  test('where nobody listens fails', async () => {
    const port = await listen(() => undefined)
    await new Promise(resolve => listening.pop()?.server.close(resolve))
    expect(await complaint(knock(port, 5000))).toEqual([expect.stringContaining('ECONNREFUSED'), false])
  })
})

interface KeyPair {
  readonly file: string
  readonly wire: Buffer
}

/** An Ed25519 key pair: the private key as a file's text, the public one as SSH sends it. */
function keyPair(): KeyPair {
  const { private: file } = utils.generateKeyPairSync('ed25519')
  const parsed = utils.parseKey(file)
  if (parsed instanceof Error) throw parsed
  return { file, wire: parsed.getPublicSSH() }
}

const [guestKey, clientKey, otherKey] = [keyPair(), keyPair(), keyPair()]

/** How a command of the guest speaks and ends. */
interface Answer {
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly exit: (status: number) => void
  readonly kill: (signal: string) => void
  readonly drop: () => void
}

/** An SSH server that lets `pi` in with the client's key, and runs commands as `run` says. */
function guest(run: (command: string, input: string, answer: Answer) => void): Promise<number> {
  return listen(socket => {
    const server = new SshServer({ hostKeys: [guestKey.file] }, client => {
      client.on('error', () => undefined)
      client.on('authentication', attempt => {
        const known =
          attempt.method === 'publickey' && attempt.key.data.equals(clientKey.wire) && attempt.username === 'pi'
        if (known) attempt.accept()
        else attempt.reject(['publickey'])
      })
      client.on('session', accept => {
        accept().on('exec', (start, _, { command }) => {
          const channel = start()
          const input: Buffer[] = []
          channel.on('data', (chunk: Buffer) => input.push(chunk))
          channel.on('end', () => {
            run(command, Buffer.concat(input).toString(), {
              out: text => void channel.write(text),
              err: text => void channel.stderr.write(text),
              exit: status => {
                channel.exit(status)
                channel.end()
              },
              kill: signal => {
                channel.exit(signal)
                channel.end()
              },
              drop: () => socket.destroy()
            })
          })
        })
      })
    })
    server.injectSocket(socket)
  })
}

async function login(port: number, changes: Partial<Login> = {}): Promise<GuestSession> {
  const asked: Login = { port, user: 'pi', privateKey: clientKey.file, hostKey: guestKey.wire, ...changes }
  return GuestSession.login(await knock(port, 5000), asked, 10_000)
}

describe('logging in', () => {
  test('works with the key of the run, to the host whose key is known', async () => {
    const session = await login(
      await guest((_, __, { exit }) => {
        exit(0)
      })
    )
    expect(await session.exec('true')).toEqual({ code: 0, signal: undefined, stdout: '', stderr: '' })
    session.close()
  })

  test('is refused to us when the key is not accepted', async () => {
    const port = await guest(() => undefined)
    expect(await complaint(login(port, { privateKey: otherKey.file }))).toEqual([expect.any(String), true])
  })

  test('is refused by us when the host is another', async () => {
    const port = await guest(() => undefined)
    expect(await complaint(login(port, { hostKey: otherKey.wire }))).toEqual([
      'the host key is not the one this run gave the guest',
      true
    ])
  })

  test('takes any host key of an image that was left alone', async () => {
    const session = await login(await guest(() => undefined), { hostKey: undefined })
    session.close()
    expect(session).toBeInstanceOf(GuestSession)
  })

  test('to a server that shuts the door fails, and may be tried again', async () => {
    const port = await listen(socket => {
      socket.write('SSH-2.0-OpenSSH_9.2\r\n')
      socket.once('data', () => socket.destroy())
    })
    expect(await complaint(login(port))).toEqual([expect.any(String), false])
  })
})

describe('a command in the guest', () => {
  test('gets its input, and gives both its outputs and its status', async () => {
    const port = await guest((command, input, { out, err, exit }) => {
      out(`ran ${command} with ${input}`)
      err('a word of warning')
      exit(7)
    })
    const session = await login(port)
    expect(await session.exec('sudo -n sh', { input: 'echo "hi"\n' })).toEqual({
      code: 7,
      signal: undefined,
      stdout: 'ran sudo -n sh with echo "hi"\n',
      stderr: 'a word of warning'
    })
    session.close()
  })

  test('hands its outputs on as they come, if somebody listens', async () => {
    const session = await login(
      await guest((_, __, { out, err, exit }) => {
        out('o')
        err('e')
        exit(0)
      })
    )
    const heard: string[] = []
    const ended = await session.exec('x', {
      onStdout: chunk => heard.push(`out ${chunk.toString()}`),
      onStderr: chunk => heard.push(`err ${chunk.toString()}`)
    })
    expect(heard.sort()).toEqual(['err e', 'out o'])
    expect(ended).toMatchObject({ code: 0, stdout: '', stderr: '' })
    session.close()
  })

  test('that a signal ended says which', async () => {
    const session = await login(
      await guest((_, __, { kill }) => {
        kill('KILL')
      })
    )
    expect(await session.exec('x')).toMatchObject({ code: undefined, signal: 'KILL' })
    session.close()
  })

  test('whose connection breaks has neither status nor signal', async () => {
    const session = await login(
      await guest((_, __, { drop }) => {
        drop()
      })
    )
    expect(await session.exec('x')).toMatchObject({ code: undefined, signal: undefined })
    session.close()
  })
})

test('small packets go out at once: TCP would collect them for 40 ms, several times a command', async () => {
  const noDelay = jest.spyOn(Socket.prototype, 'setNoDelay')
  const server = createServer(connection => connection.end('SSH-2.0-test\r\n')).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const socket = await knock((server.address() as AddressInfo).port, 5000)
  expect(noDelay.mock.contexts).toContain(socket)
  socket.destroy()
  server.close()
  noDelay.mockRestore()
})
