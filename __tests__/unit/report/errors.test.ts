import {
  BadInput,
  BootFailure,
  describeFailure,
  Failure,
  HostFailure,
  messageOf,
  TimeLimit
} from '../../../src/report/errors'

test('a failure is told as symptom, cause, remedy and log, each on its own line', () => {
  const error = new BootFailure({ symptom: 'it is dark', cause: 'no light', remedy: 'switch it on', log: '/logs/x' })
  expect(describeFailure(error)).toBe('it is dark\nCause: no light\nRemedy: switch it on\nLog: /logs/x')
})

test('what is not known is left out', () => {
  expect(describeFailure(new HostFailure({ symptom: 'it is dark' }))).toBe('it is dark')
  expect(describeFailure(new TimeLimit({ symptom: 'late', cause: undefined, remedy: 'wait' }))).toBe(
    'late\nRemedy: wait'
  )
})

test('one fault is its own sentence, several are a list', () => {
  expect(describeFailure(new BadInput(['input `a` is wrong']))).toBe('input `a` is wrong')
  expect(describeFailure(new BadInput(['a', 'b', 'c']))).toBe('3 inputs are wrong:\n  - a\n  - b\n  - c')
})

test('each kind has its outcome and its name', () => {
  const kinds: readonly Failure[] = [
    new BadInput(['x']),
    ...[HostFailure, BootFailure, TimeLimit].map(Kind => new Kind({ symptom: 'x' }))
  ]
  expect(kinds.map(({ name, outcome, message }) => [name, outcome, message])).toEqual([
    ['BadInput', 'bad-input', 'x'],
    ['HostFailure', 'host-failed', 'x'],
    ['BootFailure', 'boot-failed', 'x'],
    ['TimeLimit', 'timeout', 'x']
  ])
  for (const error of kinds) expect(error).toBeInstanceOf(Failure)
})

test('what led to a failure stays with it', () => {
  const cause = new Error('ECONNREFUSED')
  expect(new HostFailure({ symptom: 'x' }, { cause }).cause).toBe(cause)
})

test('an error that nobody foresaw is shown with its stack', () => {
  expect(describeFailure(new TypeError('x is undefined'))).toMatch(
    /^TypeError: x is undefined\n\s+at .*errors\.test\.ts/
  )
})

test('anything thrown has a message', () => {
  expect([messageOf(new Error('a')), messageOf('b'), messageOf(undefined), messageOf(7)]).toEqual([
    ...['a', 'b', 'undefined', '7']
  ])
  expect(describeFailure('just text')).toBe('just text')
})
