import { execFileSync } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { utils } from 'ssh2'
import { makeKeys, placeholder, slotLengths, type RunKeys, type SlotContent } from '../../../src/images/keys'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const names = Object.keys(slotLengths) as SlotContent[]

let folder: string
let keys: RunKeys
beforeAll(async () => {
  folder = scratch.fresh()
  keys = await makeKeys(folder)
})

test('what goes into a slot has its length, to the byte', () => {
  expect(names.map(name => [name, keys.slots[name].length])).toEqual(Object.entries(slotLengths))
})

test('so has what holds the place, and it is neither a key nor a setting: comments and a line end', () => {
  for (const name of names) {
    expect(Buffer.from(placeholder(name)).length).toBe(slotLengths[name])
    expect(placeholder(name)).toMatch(/^#+\n$/)
  }
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
  for (const name of names) expect(others.slots[name].equals(keys.slots[name])).toBe(false)
  expect(others.clientKey).not.toBe(keys.clientKey)
})
