import { whatWentWrong } from '../../../src/report/ending'
import { hintFor, OutputTail } from '../../../src/report/hint'
import { rememberWarnings } from '../../../src/report/warnings'
import { RecordedLog } from '../recorded-log'

test('a known trouble in the output of a script is explained', () => {
  expect(hintFor('step 1\ntar: x: Cannot write: No space left on device\nmake: *** Error 2\n')?.split('\n')).toEqual([
    'Known trouble: a file system in the guest is full (“tar: x: Cannot write: No space left on device”)',
    expect.stringMatching(/^Cause: /),
    expect.stringMatching(/^Remedy: `disk-size/),
    'See: docs/troubleshooting.md#disk-full'
  ])
})

test('an output that shows nothing known has no hint', () => {
  expect(hintFor('1 test failed\n', ['[    3.1] EXT4-fs (vda2): mounted'])).toBeUndefined()
})

test("a script that was killed for its memory says nothing of it, but the guest's console does", () => {
  const console = [
    '[   98.9] tail invoked oom-killer: gfp_mask=0x140dca(GFP_HIGHUSER_MOVABLE), order=0, oom_score_adj=0',
    '[   99.0] Out of memory: Killed process 655 (tail) total-vm:812344kB',
    '/ #'
  ]
  expect(hintFor('Killed\n', console)).toContain('memory of the guest did not suffice (“[   99.0] Out of memory')
})

test('the console is searched for nothing else: a boot says much', () => {
  expect(hintFor('', ['systemd[1]: Failed to mount x: No space left on device'])).toBeUndefined()
})

test('a long line is cut, and control characters are taken out', () => {
  const hint = hintFor(`\x1b[31mls: ${'x'.repeat(500)}: Value too large for defined data type\x07`) ?? ''
  expect(hint.split('\n')[0]).toMatch(/\(“.{200}…”\)$/)
  expect(hint.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})

describe('the end of an output', () => {
  test('passes on as it is, and is remembered without colours', () => {
    const tail = new OutputTail()
    const out: Buffer[] = []
    const write = tail.through(chunk => out.push(chunk))
    write(Buffer.from('\x1b[1mone\x1b[0m\n'))
    write(Buffer.from([0xc3]))
    write(Buffer.from([0xa4]))
    expect(Buffer.concat(out).toString()).toBe('\x1b[1mone\x1b[0m\nä')
    expect(tail.text).toBe('one\nä')
  })

  test('is all that is remembered of a long one', () => {
    const tail = new OutputTail()
    const write = tail.through(() => undefined)
    for (let at = 0; at < 200; at++) write(Buffer.from(`${at} ${'x'.repeat(1022)}\n`))
    expect(tail.text.length).toBeLessThan(70_000)
    expect(tail.text).toMatch(/\n199 x+\n$/)
    expect(tail.text).not.toMatch(/^0 /)
  })
})

describe('what went wrong', () => {
  const ended = { outcome: 'success', exitCode: 0, signal: undefined, failure: undefined, hint: undefined } as const

  test.each([
    [ended, undefined],
    [{ ...ended, verdict: 'The console showed /x/' }, undefined],
    [{ ...ended, outcome: 'script-failed', exitCode: 3 }, 'The script ended with status 3'],
    [{ ...ended, outcome: 'script-failed', exitCode: 3, hint: 'why' }, 'The script ended with status 3\nwhy'],
    [{ ...ended, outcome: 'script-failed', exitCode: 137, signal: 'KILL' }, 'The script was killed by SIGKILL'],
    [{ ...ended, outcome: 'script-failed', exitCode: 1, verdict: 'not shown' }, 'not shown'],
    [{ ...ended, outcome: 'timeout', exitCode: 124 }, 'The script ran longer than `run-timeout`, and was ended'],
    [{ ...ended, outcome: 'boot-failed', exitCode: 125, failure: 'dark' }, 'dark']
  ] as const)('%j', (end, text) => {
    expect(whatWentWrong(end)).toBe(text)
  })
})

test('warnings are remembered, each once, and everything reaches the log', () => {
  const recorded = new RecordedLog()
  const { log, warnings } = rememberWarnings(recorded)
  log.info('hello')
  log.warn('one')
  log.warn('two')
  log.warn('one')
  log.group('title')
  expect(warnings).toEqual(['one', 'two'])
  expect(recorded.entries).toEqual(['info: hello', 'warn: one', 'warn: two', 'warn: one', 'group: title'])
})
