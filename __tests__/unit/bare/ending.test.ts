import { resultOf, type Circumstances } from '../../../src/bare/ending'
import { BootFailure, TimeLimit } from '../../../src/report/errors'

const at: Circumstances = {
  expect: /hello/,
  seconds: 2.04,
  tail: ['Booting Linux', 'bye'],
  found: undefined,
  log: '/logs/serial0.log'
}
const failure = (act: () => unknown): unknown => {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}

test('shown: success, with the line', () => {
  expect(resultOf({ kind: 'matched', line: ' hello pi ' }, at)).toEqual({
    outcome: 'success',
    exitCode: 0,
    signal: undefined,
    verdict: 'The console showed /hello/ after 2.0 s: hello pi'
  })
})

test('switched off: success if nothing was expected, else status 1 with the end of the console', () => {
  expect(resultOf({ kind: 'off' }, { ...at, expect: undefined })).toMatchObject({ outcome: 'success', exitCode: 0 })
  expect(resultOf({ kind: 'off' }, at)).toMatchObject({
    outcome: 'script-failed',
    exitCode: 1,
    verdict:
      'The guest switched itself off after 2.0 s, but its console did not show /hello/; its last lines:\nBooting Linux\nbye'
  })
})

test('the status a guest gives with semihosting is the status of the run', () => {
  expect(resultOf({ kind: 'off', status: 3 }, { ...at, expect: undefined })).toMatchObject({
    outcome: 'script-failed',
    exitCode: 3
  })
})

test('a panic and the end of QEMU are failed boots', () => {
  const found = { id: 'a-row', symptom: 'no root', cause: 'none given', remedy: 'give one' }
  const panic = failure(() => resultOf({ kind: 'panic', line: 'Kernel panic - not syncing: VFS' }, { ...at, found }))
  expect(panic).toBeInstanceOf(BootFailure)
  expect(panic).toMatchObject({
    details: {
      symptom: 'no root (“Kernel panic - not syncing: VFS”)',
      cause: 'none given',
      remedy: 'give one',
      see: 'a-row'
    }
  })
  const died = failure(() => resultOf({ kind: 'died', exit: 'signal SIGSEGV' }, at))
  expect(died).toBeInstanceOf(BootFailure)
  expect(died).toMatchObject({ message: expect.stringMatching(/^QEMU ended after 2.0 s \(signal SIGSEGV\)/) as string })
})

test.each([
  [/hello/, ['x'], /^the console did not show \/hello\/ within 5 s \(run-timeout\); its last lines:\nx$/, /hangs/],
  [undefined, [], /^the guest did not switch itself off within 5 s .*the console stayed empty$/, /another one/]
])('the time limit, expecting %p', (expected, tail, symptom, cause) => {
  const late = failure(() =>
    resultOf({ kind: 'late', limit: 5000, input: 'run-timeout' }, { ...at, expect: expected, tail })
  )
  expect(late).toBeInstanceOf(TimeLimit)
  expect(late).toMatchObject({
    details: {
      symptom: expect.stringMatching(symptom) as string,
      cause: expect.stringMatching(cause) as string,
      log: at.log
    }
  })
})
