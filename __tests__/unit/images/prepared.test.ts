import { chooseUser } from '../../../src/images'
import { BadInput } from '../../../src/report/errors'

const user = (uid: number): { uid: number; gid: number; home: string } => ({ uid, gid: uid, home: '/' })
const users = { root: user(0), daemon: user(1), pi: user(1000), ada: user(1001), nobody: user(65534) }

test('without a wish it is pi, and root where there is no pi', () => {
  const { pi, ...others } = users
  expect([chooseUser(users, undefined), chooseUser(others, undefined)]).toEqual(['pi', 'root'])
  expect(pi.uid).toBe(1000)
})

test.each(['root', 'ada', 'daemon'])('a user of the image may be asked for: %s', name => {
  expect(chooseUser(users, name)).toBe(name)
})

test('a user that the image does not have is refused, and the message names the people it has', () => {
  const choice = (): string => chooseUser(users, 'bob')
  expect(choice).toThrow(BadInput)
  expect(choice).toThrow('input `user` is “bob”, but the image has no such user; valid: root, pi, ada')
})

test('a name that only JavaScript objects have is no user', () => {
  expect(() => chooseUser(users, 'constructor')).toThrow(BadInput)
})
