import { placeholder } from './keys'

/** Lines of /etc/passwd and /etc/shadow, see passwd(5) and shadow(5). All pure: text in, text out. */

/** The password field of a user; undefined if the user has no line. */
export function shadowField(shadow: string, user: string): string | undefined {
  return lineOf(shadow, user)?.split(':')[1]
}

/** Whether a password field lets no password in. An empty one would let everybody in. */
export function isLocked(field: string): boolean {
  return /^[!*]/.test(field) || field === 'x'
}

/** The same text with another password field; as it is if the user has no line. */
export function withShadowField(shadow: string, user: string, field: string): string {
  return changeField(shadow, user, 1, field)
}

/**
 * Gives a locked account a field that is as long as a hash and no hash. `start` is its first byte in the text.
 * Undefined if there is no such account, or it has a password.
 */
export function withPasswordSlot(
  shadow: string,
  user: string
): { readonly shadow: string; readonly start: number } | undefined {
  const field = shadowField(shadow, user)
  if (field === undefined || !isLocked(field)) return undefined
  const changed = withShadowField(shadow, user, placeholder('password'))
  const line = lineOf(changed, user) ?? ''
  const at = `\n${changed}`.indexOf(`\n${line}`)
  return { shadow: changed, start: Buffer.byteLength(changed.slice(0, at)) + Buffer.byteLength(`${user}:`) }
}

/** The login shell of a user; undefined if the user has no line. */
export function shellOf(passwd: string, user: string): string | undefined {
  return lineOf(passwd, user)?.split(':')[6]
}

export function replaceShell(passwd: string, user: string, shell: string): string {
  return changeField(passwd, user, 6, shell)
}

function lineOf(text: string, user: string): string | undefined {
  return text.split('\n').find(line => line.startsWith(`${user}:`))
}

function changeField(text: string, user: string, index: number, value: string): string {
  return text
    .split('\n')
    .map(line => (line.startsWith(`${user}:`) ? replaceAt(line.split(':'), index, value).join(':') : line))
    .join('\n')
}

const replaceAt = (fields: readonly string[], index: number, value: string): readonly string[] =>
  fields.map((field, at) => (at === index ? value : field))
