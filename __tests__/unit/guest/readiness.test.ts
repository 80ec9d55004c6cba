import { nextPatience, tooSlow } from '../../../src/guest/readiness'

/** A console that shows these lines. */
const showing = (...lines: readonly string[]): Parameters<typeof tooSlow>[0] => ({
  bytes: lines.join('\n').length,
  mainFile: '/logs/serial0.log',
  tail: count => lines.slice(-count)
})

test('an empty console points at the kernel', () => {
  expect(tooSlow(showing(), 600_000)).toEqual({
    symptom: 'SSH did not answer within 600 s (boot-timeout); the console stayed empty',
    cause: 'the kernel died before its console was up, or writes to another one',
    remedy: 'check `kernel` and `dtb`: they have to belong to the board',
    see: 'boot-timeout',
    log: '/logs/serial0.log'
  })
})

test.each([
  'raspberrypi login: ',
  '[  OK  ] Reached target multi-user.target - Multi-User System.',
  '[  OK  ] Reached target Graphical Interface.',
  'systemd[1]: Startup finished in 8.1s (kernel) + 40.1s (userspace) = 48.2s.',
  'mini: up after 20.13 s'
])('a guest that is up (%s) points at its SSH server', line => {
  expect(tooSlow(showing('Booting Linux', line), 90_000)).toMatchObject({
    symptom: 'SSH did not answer within 90 s (boot-timeout); the guest is up, but its SSH server does not answer',
    remedy: 'use `provision: auto`, or enable SSH in the image'
  })
})

test('anything else is a slow boot', () => {
  expect(tooSlow(showing('Booting Linux on physical CPU 0x0'), 1500)).toMatchObject({
    symptom: 'SSH did not answer within 1.5 s (boot-timeout); the guest was still booting',
    remedy: 'raise `boot-timeout`, or look at the serial log'
  })
})

test('one whose console shows what it waits for names that', () => {
  const job = '[ ***  ] A start job is running for Wait for Network to be Configured (43s / 2min 30s)'
  expect(tooSlow(showing('Booting Linux', job, ''), 1500)).toMatchObject({
    cause: expect.stringContaining('a unit of the guest does not get ready (“[ ***  ] A start job') as string,
    see: 'start-job'
  })
})

test('a server that is slow to greet gets more time with each knock, up to a limit', () => {
  const waits = [1500]
  for (let at = 0; at < 6; at++) waits.push(nextPatience(waits.at(-1) ?? 0))
  expect(waits.map(Math.round)).toEqual([1500, 2250, 3375, 5063, 7594, 8000, 8000])
})
