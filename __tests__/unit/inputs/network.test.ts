import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseInputs, type Inputs, type RawInputs } from '../../../src/inputs'
import { BadInput } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const workspace = scratchFolder().root
const parse = (raw: RawInputs): Inputs => parseInputs(raw, { env: {}, workspace })

function faultsOf(raw: RawInputs): readonly string[] {
  try {
    parse(raw)
    return []
  } catch (error) {
    if (error instanceof BadInput) return error.faults
    throw error
  }
}

const ed25519 = `ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI${'B'.repeat(43)}`
const rsa = `ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQ${'C'.repeat(500)}==`

describe('public keys', () => {
  const keys = (text: string): string => {
    writeFileSync(join(workspace, 'keys'), text)
    return 'keys'
  }

  test('of every form that sshd reads are taken, comments are not', () => {
    const options = `no-pty,command="echo hi" ${rsa}`
    const file = keys(
      `# mine\n${ed25519} me@home\n\n  ${rsa}\n${options} work\n${ed25519.replace('ssh-ed25519', 'ecdsa-sha2-nistp256')}\n`
    )
    expect(parse({ 'authorized-keys': file }).authorizedKeys).toEqual([
      `${ed25519} me@home`,
      rsa,
      `${options} work`,
      ed25519.replace('ssh-ed25519', 'ecdsa-sha2-nistp256')
    ])
  })

  test('a private key is refused, and nothing of it is repeated', () => {
    const [fault = ''] = faultsOf({
      'authorized-keys': keys('-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n')
    })
    expect(fault).toMatch(/^input `authorized-keys` names .*\/keys, which is a private key; valid: public keys/)
    expect(fault).not.toContain('c2VjcmV0')
  })

  test.each([
    ['# nothing\n', 'which holds no key'],
    [`${ed25519}\nssh-ed25519 not-base64\n`, 'whose key 2 is none'],
    ['AAAAC3NzaC1lZDI1NTE5\n', 'whose key 1 is none']
  ])('%j is refused', (text, why) => {
    expect(faultsOf({ 'authorized-keys': keys(text) })).toEqual([expect.stringContaining(why)])
  })

  test('change the image, which `provision: none` forbids', () => {
    writeFileSync(join(workspace, 'key'), 'x')
    const raw = { 'authorized-keys': keys(ed25519), provision: 'none', 'ssh-key': 'key' }
    expect(faultsOf(raw)).toEqual(['input `authorized-keys` changes the image, which `provision: none` forbids'])
  })
})

describe('the network', () => {
  test.each<[RawInputs, string]>([
    [{ network: 'bridge' }, 'input `network` is “bridge”; valid: user, tap'],
    [{ 'ssh-port': '70000' }, 'input `ssh-port` is “70000”; valid: a whole number from 1 to 65535'],
    [{ 'ssh-port': '8080', ports: '8080:80' }, 'inputs `ssh-port` and `ports` name the same port, 8080'],
    [{ network: 'tap', ports: '8080:80' }, 'inputs `ports` and `network: tap` do not go together'],
    [{ network: 'tap', 'ssh-port': '2222' }, 'inputs `ssh-port` and `network: tap` do not go together'],
    [{ network: 'tap', mode: 'user' }, '`network`: for an emulated board, and `mode: user` has none'],
    [{ 'ssh-port': '2222', mode: 'user' }, '`ssh-port`: for an emulated board']
  ])('%j is refused', (raw, fault) => {
    expect(faultsOf(raw)).toEqual([expect.stringContaining(fault)])
  })

  test('SSH by TCP and another port by UDP may have the same number', () => {
    expect(faultsOf({ 'ssh-port': '5353', ports: '5353:53/udp' })).toEqual([])
  })

  test('a bare kernel has nothing to log in to', () => {
    writeFileSync(join(workspace, 'kernel'), 'x')
    const bare = { image: 'none', board: 'raspi3b', kernel: 'kernel' }
    expect(faultsOf({ ...bare, 'ssh-port': '2222' })).toEqual([
      expect.stringContaining('input `ssh-port` is for a system')
    ])
    expect(faultsOf({ ...bare, network: 'tap' })).toEqual([
      expect.stringContaining('input `network: tap` is for a system')
    ])
  })
})
