import { createPrivateKey } from 'node:crypto'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { utils } from 'ssh2'
import { tool } from '../host/exec'
import { BadInput, HostFailure } from '../report/errors'

const comment = 'pi-qemu'

/**
 * Everything about a run that must not be in a cached image: who may log in, and who the guest is. The prepared image
 * has room for it ("slots"); it is written into the run's own overlay, without touching the file system around it.
 * Lengths are in bytes and never vary: all keys are Ed25519 with the same comment.
 */
export const slotLengths = {
  /** `ssh-ed25519 <68 base64 digits> <comment>\n` */
  'authorized-keys': 'ssh-ed25519 '.length + 68 + 1 + comment.length + 1,
  /** OpenSSH's private key file, as `ssh-keygen -N ''` writes it with this comment. */
  'host-key': 399,
  /** Dropbear's key file: the type and the 64 key bytes, each with a 4-byte length. */
  'dropbear-host-key': 4 + 'ssh-ed25519'.length + 4 + 64,
  /** SHA-512 crypt, see crypt(5): `$6$`, a salt of 16 letters, `$`, 86 letters. */
  password: 3 + 16 + 1 + 86,
  /** sshd's line that goes with it. */
  'password-login': 'PasswordAuthentication yes\n'.length
} as const

export type SlotContent = keyof typeof slotLengths
/** Those that every run fills; the others belong to its password, if it has one. */
export type KeySlot = Exclude<SlotContent, 'password' | 'password-login'>

export interface RunKeys {
  /** File with the private key for logging in. */
  readonly clientKeyFile: string
  readonly clientKey: string
  /** The guest's public key, in SSH's wire format: what host-key checking compares with. */
  readonly hostPublicKey: Buffer
  readonly slots: Readonly<Record<KeySlot, Buffer>> & Readonly<Partial<Record<SlotContent, Buffer>>>
}

/** Makes the key pairs of one run in its folder, and the hash of its password. */
export async function makeKeys(folder: string, password?: string): Promise<RunKeys> {
  const [clientKeyFile, hostKeyFile] = [join(folder, 'ssh-key'), join(folder, 'host-key')]
  await Promise.all(
    [clientKeyFile, hostKeyFile].map(file =>
      tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file])
    )
  )
  const [clientKey, clientPublic, hostKey] = await Promise.all(
    [clientKeyFile, `${clientKeyFile}.pub`, hostKeyFile].map(file => readFile(file, 'utf8'))
  )
  const slots = {
    'authorized-keys': Buffer.from(clientPublic ?? ''),
    'host-key': Buffer.from(hostKey ?? ''),
    'dropbear-host-key': dropbearKey(hostKey ?? ''),
    ...(password !== undefined && {
      password: Buffer.from(await hashPassword(password)),
      'password-login': Buffer.from('PasswordAuthentication yes\n')
    })
  }
  for (const [name, { length }] of Object.entries(slots)) {
    const expected = slotLengths[name as SlotContent]
    if (length !== expected)
      throw new HostFailure({ symptom: `the tools made ${length} bytes for ${name}, expected ${expected}` })
  }
  const parsed = utils.parseKey(hostKey ?? '')
  if (parsed instanceof Error)
    throw new HostFailure({ symptom: `ssh-keygen wrote a key that cannot be read: ${parsed.message}` })
  return { clientKeyFile, clientKey: clientKey ?? '', hostPublicKey: parsed.getPublicSSH(), slots }
}

/** openssl silently leaves out what is beyond this (bytes). */
const longestPassword = 256

/**
 * The hash that goes into /etc/shadow. The password is passed on standard input: arguments are for all to see.
 * @throws BadInput if it is too long
 */
export async function hashPassword(password: string): Promise<string> {
  if (Buffer.byteLength(password) > longestPassword)
    throw new BadInput([`input \`password\` is longer than ${longestPassword} bytes`])
  return (await tool('openssl', ['passwd', '-6', '-stdin'], { input: `${password}\n` })).trim()
}

/**
 * Text that holds a slot's place in the prepared image: comment lines to sshd, no key to anybody, a hash that no
 * password has.
 */
export function placeholder(content: SlotContent): string {
  if (content === 'password') return '*'.repeat(slotLengths.password)
  return `${'#'.repeat(slotLengths[content] - 1)}\n`
}

function dropbearKey(openssh: string): Buffer {
  const parsed = utils.parseKey(openssh)
  if (parsed instanceof Error) throw new HostFailure({ symptom: `a host key cannot be read: ${parsed.message}` })
  const { d = '', x = '' } = createPrivateKey(parsed.getPrivatePEM()).export({ format: 'jwk' })
  const field = (bytes: Buffer): Buffer => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes])
  return Buffer.concat([
    field(Buffer.from('ssh-ed25519')),
    field(Buffer.concat([Buffer.from(d, 'base64url'), Buffer.from(x, 'base64url')]))
  ])
}

/**
 * Overwrites a run's keys in a raw image where they still lie at their places. Removing their files would only free the
 * blocks; what has taken their place meanwhile is left alone.
 */
export async function eraseSlots(
  image: string,
  slots: readonly { readonly content: SlotContent; readonly runs: readonly { offset: number; length: number }[] }[],
  keys: Readonly<Partial<Record<SlotContent, Buffer>>>
): Promise<void> {
  const file = await open(image, 'r+')
  try {
    for (const { content, runs } of slots) {
      const secret = keys[content]
      // The hash of a password is part of a file that stays: it becomes no hash, and not zeros.
      const instead = content === 'password' ? Buffer.from(placeholder(content)) : Buffer.alloc(slotLengths[content])
      let done = 0
      for (const { offset, length } of secret === undefined ? [] : runs) {
        const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
        if (secret?.subarray(done, done + length).equals(buffer) === true)
          await file.write(instead, done, length, offset)
        done += length
      }
    }
  } finally {
    await file.close()
  }
}

/** Writes one slot's bytes at their places in a qcow2 overlay. */
export async function writeSlot(
  overlay: string,
  runs: readonly { offset: number; length: number }[],
  content: Buffer,
  folder: string
): Promise<void> {
  let done = 0
  for (const { offset, length } of runs) {
    await writeFile(join(folder, 'slot'), content.subarray(done, done + length), { mode: 0o600 })
    await tool('qemu-io', ['-f', 'qcow2', '-c', `write -q -s slot ${offset} ${length}`, overlay], { cwd: folder })
    done += length
  }
}
