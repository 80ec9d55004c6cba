import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { utils } from 'ssh2'
import {
  hashPassword,
  makeKeys,
  placeholder,
  slotLengths,
  type RunKeys,
  type KeySlot,
  type SlotContent
} from '../../../src/images/keys'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const names = Object.keys(slotLengths) as SlotContent[]
const ofEveryRun = ['authorized-keys', 'host-key', 'dropbear-host-key'] as const satisfies readonly KeySlot[]

let folder: string
let keys: RunKeys
let withPassword: RunKeys
beforeAll(async () => {
  folder = scratch.fresh()
  keys = await makeKeys(folder)
  withPassword = await makeKeys(scratch.fresh(), 'näive $6$ "pass" \\ word')
})

test('what goes into a slot has its length, to the byte', () => {
  expect(names.map(name => [name, withPassword.slots[name]?.length])).toEqual(Object.entries(slotLengths))
})

test('so has what holds the place, and it is neither a key nor a setting: comments and a line end', () => {
  for (const name of names) expect(Buffer.from(placeholder(name)).length).toBe(slotLengths[name])
  for (const name of names.filter(other => other !== 'password')) expect(placeholder(name)).toMatch(/^#+\n$/)
})

describe('a password', () => {
  test('that there is none leaves its slots alone', () => {
    expect(Object.keys(keys.slots)).toEqual(ofEveryRun)
  })

  test('has the place of its hash held by what is no hash, and so lets nobody in', () => {
    expect(placeholder('password')).toMatch(/^\*{106}$/)
  })

  test('is hashed as crypt(5) has it: SHA-512, a salt of 16 letters, never the same', async () => {
    const hashes = await Promise.all([hashPassword('x'), hashPassword('x'), hashPassword('x'.repeat(256))])
    for (const hash of hashes) expect(hash).toMatch(/^\$6\$[./0-9A-Za-z]{16}\$[./0-9A-Za-z]{86}$/)
    expect(new Set(hashes).size).toBe(3)
  })

  test('that is longer than openssl reads is refused, not cut', async () => {
    await expect(hashPassword('é'.repeat(129))).rejects.toThrow('input `password` is longer than 256 bytes')
  })

  test('is the one that the hash is of, whatever letters it has', () => {
    const hash = withPassword.slots.password?.toString() ?? ''
    const salt = hash.split('$')[2] ?? ''
    const again = execFileSync('openssl', ['passwd', '-6', '-salt', salt, '-stdin'], {
      input: 'näive $6$ "pass" \\ word\n',
      encoding: 'utf8'
    })
    expect(again.trim()).toBe(hash)
  })

  test('comes with the word to sshd that it may be used', () => {
    expect(withPassword.slots['password-login']?.toString()).toBe('PasswordAuthentication yes\n')
  })
})

test('the guest lets in who holds the private key', () => {
  const key = utils.parseKey(keys.clientKey)
  if (key instanceof Error) throw key
  const [type, base64, comment] = keys.slots['authorized-keys'].toString().trimEnd().split(' ')
  expect([type, base64, comment]).toEqual(['ssh-ed25519', key.getPublicSSH().toString('base64'), 'pi-qemu'])
  expect(readFileSync(keys.clientKeyFile, 'utf8')).toBe(keys.clientKey)
})

test('the host key that is checked is the one the guest gets', () => {
  const key = utils.parseKey(keys.slots['host-key'])
  if (key instanceof Error) throw key
  expect(key.getPublicSSH().equals(keys.hostPublicKey)).toBe(true)
})

test("dropbear's form holds the same host key: type, seed and public key, each after its length", () => {
  const file = keys.slots['dropbear-host-key']
  expect(file.subarray(0, 15)).toEqual(Buffer.concat([Buffer.from([0, 0, 0, 11]), Buffer.from('ssh-ed25519')]))
  expect(file.readUInt32BE(15)).toBe(64)
  // In SSH's wire format the public key comes last, too.
  expect(file.subarray(-32)).toEqual(keys.hostPublicKey.subarray(-32))
  // OpenSSH's private key file holds the same 64 bytes: seed and public key.
  const openssh = Buffer.from(keys.slots['host-key'].toString().replace(/-----[^-]+-----/g, ''), 'base64')
  expect(openssh.includes(file.subarray(19))).toBe(true)
})

test('ssh-keygen takes the keys for what they are', () => {
  const told = execFileSync('ssh-keygen', ['-l', '-f', keys.clientKeyFile], { encoding: 'utf8' })
  expect(told).toMatch(/^256 SHA256:\S+ pi-qemu \(ED25519\)$/m)
})

test('private keys are for their owner alone', () => {
  expect(statSync(keys.clientKeyFile).mode & 0o077).toBe(0)
})

test('each run has keys of its own', async () => {
  const others = await makeKeys(scratch.fresh())
  for (const name of ofEveryRun) expect(others.slots[name].equals(keys.slots[name])).toBe(false)
  expect(others.clientKey).not.toBe(keys.clientKey)
})
