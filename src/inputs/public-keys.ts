import { readFileSync } from 'node:fs'
import { Fault, lines } from './readers'

/** `[options] type base64 [comment]`, see sshd(8); all types of key begin their base64 with a 4-byte length below 256. */
const keyLine =
  /(?:^|\s)(?:ssh-(?:ed25519|rsa)|ecdsa-sha2-nistp\d+|sk-(?:ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com)\s+AAAA[A-Za-z0-9+/]+={0,3}(?:\s|$)/

/**
 * The keys of a file in the form of `~/.ssh/authorized_keys`; comments are left out.
 * @throws Fault that repeats nothing of the file: it may be a private key
 */
export function publicKeys(file: string): readonly string[] {
  const text = readFileSync(file, 'utf8')
  if (/^-----BEGIN .*PRIVATE KEY-----/m.test(text))
    throw new Fault(`names ${file}, which is a private key; valid: public keys, as in the file beside it (.pub)`)
  const keys = lines(text).filter(line => !line.startsWith('#'))
  const wrong = keys.findIndex(line => !keyLine.test(line))
  if (wrong >= 0 || keys.length === 0)
    throw new Fault(
      `names ${file}, ${keys.length === 0 ? 'which holds no key' : `whose key ${wrong + 1} is none`}; valid: lines such as “ssh-ed25519 AAAA… name”`
    )
  return keys
}
