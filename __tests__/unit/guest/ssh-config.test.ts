import { spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, statSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { sshHost, writeSshConfig } from '../../../src/guest'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const login = { port: 41_233, user: 'pi', privateKey: '', hostKey: Buffer.from('the public key') }

/** What ssh makes of the file: setting by name. */
function settingsIn(file: string): Readonly<Record<string, string>> {
  const { status, stdout, stderr } = spawnSync('ssh', ['-G', '-F', file, sshHost], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return Object.fromEntries(
    stdout.split('\n').map(line => [line.split(' ')[0] ?? '', line.slice(line.indexOf(' ') + 1)])
  )
}

test('ssh finds the Pi, the key and the host key in the file', async () => {
  const folder = scratch.fresh()
  const file = await writeSshConfig(folder, login, '/keys/ssh-key')
  expect(settingsIn(file)).toMatchObject({
    hostname: '127.0.0.1',
    port: '41233',
    user: 'pi',
    identityfile: '/keys/ssh-key',
    identitiesonly: 'yes',
    userknownhostsfile: join(folder, 'known_hosts'),
    globalknownhostsfile: '/dev/null',
    stricthostkeychecking: 'true',
    passwordauthentication: 'no'
  })
})

test('the host key is known beforehand, for this port alone', async () => {
  const folder = scratch.fresh()
  await writeSshConfig(folder, login, '/keys/ssh-key')
  const key = Buffer.from('the public key').toString('base64')
  expect(readFileSync(join(folder, 'known_hosts'), 'utf8')).toBe(`[127.0.0.1]:41233 ssh-ed25519 ${key}\n`)
})

test('of a guest with an address of its own, too, in the form that ssh looks for', async () => {
  const folder = scratch.fresh()
  const file = await writeSshConfig(folder, { ...login, host: '172.17.255.6', port: 22 }, '/keys/ssh-key')
  expect(settingsIn(file)).toMatchObject({ hostname: '172.17.255.6', port: '22' })
  const found = spawnSync('ssh-keygen', ['-F', '172.17.255.6', '-f', join(folder, 'known_hosts')], { encoding: 'utf8' })
  expect(found.stdout).toContain(`172.17.255.6 ssh-ed25519 ${Buffer.from('the public key').toString('base64')}`)
})

test('the host key of an image that was left alone is taken at the first login, and held to from then on', async () => {
  const file = await writeSshConfig(scratch.fresh(), { ...login, hostKey: undefined }, '/keys/ssh-key')
  expect(settingsIn(file)['stricthostkeychecking']).toBe('accept-new')
})

test('the file is for its owner alone', async () => {
  expect(statSync(await writeSshConfig(scratch.fresh(), login, '/k')).mode & 0o777).toBe(0o600)
})

test('settings for other hosts are not touched', async () => {
  const file = await writeSshConfig(scratch.fresh(), login, '/k')
  const { stdout } = spawnSync('ssh', ['-G', '-F', file, 'example.org'], { encoding: 'utf8' })
  expect(stdout).toMatch(/^hostname example\.org$/m)
})

describe('a folder that is called', () => {
  test.each(['with blanks', '100%', "it's", 'a#b'])('%s is no hindrance', async name => {
    const folder = join(scratch.fresh(), name)
    mkdirSync(folder)
    const port = await closedPort()
    const file = await writeSshConfig(folder, { ...login, port }, join(folder, 'ssh-key'))
    const { stderr } = spawnSync('ssh', ['-F', file, '-o', 'BatchMode=yes', sshHost, 'true'], { encoding: 'utf8' })
    expect(stderr.trim()).toBe(`ssh: connect to host 127.0.0.1 port ${port}: Connection refused`)
  })
})

/** A port of 127.0.0.1 on which nobody listens. */
async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
