import { sshPortIn, withoutSecret } from '../../../src/qemu/process'

const table = (...rows: readonly string[]): string =>
  [
    'Hub -1 (net0):',
    '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
    ...rows,
    ''
  ].join('\r\n')

const ssh = '  TCP[HOST_FORWARD]  13       127.0.0.1 41233       10.0.2.15    22     0     0'

test("SSH's port is the one that leads to the guest's port 22", () => {
  expect(sshPortIn(table(ssh))).toBe(41_233)
})

test('other forwards and connections under way are not taken for it', () => {
  const text = table(
    '  TCP[HOST_FORWARD]  15       127.0.0.1  8080       10.0.2.15    80     0     0',
    '  TCP[HOST_FORWARD]  16       127.0.0.1  2222       10.0.2.15  2022     0     0',
    '  UDP[HOST_FORWARD]  14       127.0.0.1  5353       10.0.2.15    22     0     0',
    '  TCP[ESTABLISHED]   17       127.0.0.1 50022       10.0.2.15    22     0     0',
    ssh
  )
  expect(sshPortIn(text)).toBe(41_233)
})

test('the form of an older QEMU, without an address of the guest, is read, too', () => {
  expect(sshPortIn(ssh.replace('10.0.2.15', '        *'))).toBe(41_233)
})

test.each(['0.0.0.0', '        *', '192.168.1.7'])('a forward that listens on %s is read, too', listen => {
  expect(sshPortIn(ssh.replace('127.0.0.1', listen))).toBe(41_233)
})

test('without such a forward it is a fault that shows the table', () => {
  const text = table('  TCP[HOST_FORWARD]  15       127.0.0.1  8080       10.0.2.15    80     0     0')
  expect(() => sshPortIn(text)).toThrow(`no SSH forward in:\n${text}`)
})

test.each([
  ['secret,id=key0,data=c2VjcmV0,format=base64', 'secret,id=key0,data=***,format=base64'],
  ['secret,id=key0,file=/run/key', 'secret,id=key0,file=/run/key'],
  ['if=none,id=d,file=/x/data=1.img', 'if=none,id=d,file=/x/data=1.img']
])('an argument that is written down shows no secret: %s', (word, written) => {
  expect(withoutSecret(word)).toBe(written)
})
