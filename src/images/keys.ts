import { createPrivateKey } from 'node:crypto'
import { open, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { utils } from 'ssh2'
import { tool } from '../host/exec'
import { HostFailure } from '../report/errors'

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
  'dropbear-host-key': 4 + 'ssh-ed25519'.length + 4 + 64
} as const

export type SlotContent = keyof typeof slotLengths

export interface RunKeys {
  /** File with the private key for logging in. */
  readonly clientKeyFile: string
  readonly clientKey: string
  /** The guest's public key, in SSH's wire format: what host-key checking compares with. */
  readonly hostPublicKey: Buffer
  readonly slots: Readonly<Record<SlotContent, Buffer>>
}

/** Makes the key pairs of one run in its folder. */
export async function makeKeys(folder: string): Promise<RunKeys> {
  const [clientKeyFile, hostKeyFile] = [join(folder, 'ssh-key'), join(folder, 'host-key')]
  for (const file of [clientKeyFile, hostKeyFile])
    await tool('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', file])
  const [clientKey, clientPublic, hostKey] = await Promise.all(
    [clientKeyFile, `${clientKeyFile}.pub`, hostKeyFile].map(file => readFile(file, 'utf8'))
  )
  const slots = {
    'authorized-keys': Buffer.from(clientPublic ?? ''),
    'host-key': Buffer.from(hostKey ?? ''),
    'dropbear-host-key': dropbearKey(hostKey ?? '')
  }
  for (const [name, length] of Object.entries(slotLengths)) {
    const made = slots[name as SlotContent].length
    if (made !== length)
      throw new HostFailure({ symptom: `ssh-keygen wrote a key of ${made} bytes for ${name}, expected ${length}` })
  }
  const parsed = utils.parseKey(hostKey ?? '')
  if (parsed instanceof Error)
    throw new HostFailure({ symptom: `ssh-keygen wrote a key that cannot be read: ${parsed.message}` })
  return { clientKeyFile, clientKey: clientKey ?? '', hostPublicKey: parsed.getPublicSSH(), slots }
}

/** Text that holds a slot's place in the prepared image: comment lines to sshd, no key to anybody. */
export function placeholder(content: SlotContent): string {
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
  keys: RunKeys['slots']
): Promise<void> {
  const file = await open(image, 'r+')
  try {
    for (const { content, runs } of slots) {
      let done = 0
      for (const { offset, length } of runs) {
        const { buffer } = await file.read(Buffer.alloc(length), 0, length, offset)
        if (buffer.equals(keys[content].subarray(done, done + length)))
          await file.write(Buffer.alloc(length), 0, length, offset)
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
