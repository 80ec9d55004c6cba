import { ConsoleWatch } from '../../../src/bare/console'

test('what is expected is looked for in whole lines, so that an end of line means what it says', () => {
  const watch = new ConsoleWatch(/^hello$/)
  watch.seeUnfinished(['hello'], 0)
  expect(watch.decided).toBe(false)
  watch.see(['hello world'])
  expect(watch.decided).toBe(false)
  watch.see(['hello', 'hello again'])
  expect(watch.matched).toBe('hello')
})

test('a prompt has no line end: it counts once it stands still', () => {
  const watch = new ConsoleWatch(/login: $/)
  watch.seeUnfinished(['pi login: '], 499)
  expect(watch.matched).toBeUndefined()
  watch.seeUnfinished(['', 'pi login: '], 500)
  expect(watch.matched).toBe('pi login: ')
})

test('an unfinished line that is empty never shows anything', () => {
  const watch = new ConsoleWatch(/^/)
  watch.seeUnfinished(['', ''], 10_000)
  expect(watch.decided).toBe(false)
})

test.each([
  ['[    9.380796] reboot: Power down', { off: '[    9.380796] reboot: Power down' }],
  ['[    6.752292] reboot: System halted', { off: '[    6.752292] reboot: System halted' }],
  ['Kernel panic - not syncing: VFS', { panic: 'Kernel panic - not syncing: VFS' }]
])('%s decides without an expectation', (line, found) => {
  const watch = new ConsoleWatch(undefined)
  watch.see(['Booting Linux', line])
  expect(watch).toMatchObject({ decided: true, matched: undefined, ...found })
})

test('what other guests fail by is nothing to a bare kernel', () => {
  const watch = new ConsoleWatch(/never/)
  watch.see(['You are in emergency mode', 'udhcpc: no lease, failing', 'reboot: Restarting system'])
  expect(watch.decided).toBe(false)
})
