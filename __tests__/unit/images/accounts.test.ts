import {
  isLocked,
  replaceShell,
  shadowField,
  shellOf,
  withPasswordSlot,
  withShadowField
} from '../../../src/images/accounts'
import { placeholder, slotLengths } from '../../../src/images/keys'

const shadow = [
  'root:*:19700:0:99999:7:::',
  'épi:!:19700:0:99999:7:::',
  'pi:!:19700:0:99999:7:::',
  'pip:$y$j9T$abc$def:19700:0:99999:7:::',
  'open::19700:0:99999:7:::',
  ''
].join('\n')

test.each([
  ['pi', '!'],
  ['pip', '$y$j9T$abc$def'],
  ['open', ''],
  ['p', undefined],
  ['nobody', undefined]
])('the password field of %s is %j', (user, field) => {
  expect(shadowField(shadow, user)).toBe(field)
})

test.each([
  ['!', true],
  ['*', true],
  ['!*', true],
  ['!$6$salt$hash', true],
  ['x', true],
  ['', false],
  ['$6$salt$hash', false],
  ['$y$j9T$abc$def', false]
])('the field %j is locked: %s', (field, locked) => {
  expect(isLocked(field)).toBe(locked)
})

describe('the slot of a password', () => {
  test.each(['root', 'pi', 'épi'])('of %s lies where the text says, in bytes; every other line stays', user => {
    const change = withPasswordSlot(shadow, user)
    const bytes = Buffer.from(change?.shadow ?? '')
    const { start = 0 } = change ?? {}
    expect(bytes.subarray(start, start + slotLengths.password).toString()).toBe(placeholder('password'))
    expect(bytes.subarray(start + slotLengths.password).toString()).toMatch(/^:19700:0:99999:7:::\n/)
    expect(withShadowField(change?.shadow ?? '', user, user === 'root' ? '*' : '!')).toBe(shadow)
  })

  test('holds a hash without moving what follows', () => {
    const { shadow: text = '', start = 0 } = withPasswordSlot(shadow, 'pi') ?? {}
    const hash = `$6$${'s'.repeat(16)}$${'h'.repeat(86)}`
    const bytes = Buffer.from(text)
    bytes.write(hash, start)
    expect(bytes.toString()).toBe(withShadowField(shadow, 'pi', hash))
  })

  test.each(['pip', 'open', 'nobody'])('is not made for %s, who has a password or is not there', user => {
    expect(withPasswordSlot(shadow, user)).toBeUndefined()
  })
})

describe('the shell', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/usr/sbin/nologin\nodd:x:7\n'

  test('of a user is the last field', () => {
    expect(['root', 'pi', 'odd', 'nobody'].map(user => shellOf(passwd, user))).toEqual([
      '/bin/bash',
      '/usr/sbin/nologin',
      undefined,
      undefined
    ])
  })

  test('is changed on that line alone', () => {
    expect(replaceShell(passwd, 'pi', '/bin/bash')).toBe(passwd.replace('/usr/sbin/nologin', '/bin/bash'))
  })
})
