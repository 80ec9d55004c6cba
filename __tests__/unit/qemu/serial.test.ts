import { appendFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseWorkflowCommand } from '../../kit/runner-protocol'
import { SerialLog } from '../../../src/qemu'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A log of some UARTs, and how QEMU writes to them. */
function consoles(uarts = 1): {
  readonly log: SerialLog
  readonly write: (text: string | Buffer, uart?: number) => void
  readonly folder: string
} {
  const folder = scratch.fresh()
  const write = (text: string | Buffer, uart = 0): void => {
    appendFileSync(join(folder, `serial${uart}.log`), text)
  }
  return { log: new SerialLog(folder, uarts), write, folder }
}

test('before QEMU has made the file there is nothing', () => {
  const { log } = consoles()
  expect([log.poll(), log.tail(10), log.bytes]).toEqual([[], [], 0])
})

test('each line is told once', () => {
  const { log, write } = consoles()
  write('one\r\ntwo\r\n')
  expect(log.poll()).toEqual(['one', 'two', ''])
  expect(log.poll()).toEqual([])
  write('three\n')
  expect(log.poll()).toEqual(['three', ''])
})

test('a line that is not finished is told as far as it is, and again when it is whole', () => {
  const { log, write } = consoles()
  write('raspberrypi log')
  expect(log.poll()).toEqual(['raspberrypi log'])
  expect(log.tail(1)).toEqual(['raspberrypi log'])
  write('in: \r\nnext')
  expect(log.poll()).toEqual(['raspberrypi login: ', 'next'])
  expect(log.tail(5)).toEqual(['raspberrypi login: ', 'next'])
})

test('a letter of several bytes stays whole when a poll falls into its middle', () => {
  const { log, write } = consoles()
  const line = Buffer.from('Temperatur: 20 °C\n')
  const middle = line.indexOf(0xc2) + 1
  write(line.subarray(0, middle))
  log.poll()
  write(line.subarray(middle))
  log.poll()
  expect(log.tail(1)).toEqual(['Temperatur: 20 °C'])
})

test('colours, cursor movements and other control characters are taken out', () => {
  const { log, write } = consoles()
  write('[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh.service\x1b[0m.\r\r\n')
  write('\x1b[?25l\x1b[2J\x1b(B\x1b7\x07bell\x00\x08\tand tab\r\n')
  expect(log.poll()).toEqual(['[  OK  ] Started ssh.service.', 'bell\tand tab', ''])
})

test('a colour that is cut in two by a poll does not show in the log', () => {
  const { log, write } = consoles()
  write('\x1b[0;3')
  log.poll()
  write('1mred\x1b[0m\n')
  log.poll()
  expect(log.tail(1)).toEqual(['red'])
})

describe('what looks like a workflow command', () => {
  test.each([
    '::set-output name=x::y',
    '  ::add-mask::x',
    '\t::error::x',
    '\x1b[0m::stop-commands::x',
    '\x07 ::debug::x'
  ])('%j is none any more, and can still be read', text => {
    const { log, write } = consoles()
    write(`${text}\n`)
    const [line = ''] = log.poll()
    expect(parseWorkflowCommand(line)).toBeUndefined()
    expect(line).toMatch(/set-output|add-mask|error|stop-commands|debug/)
    expect(log.tail(1)).toEqual([line])
  })

  test('is defused in its older form, too, which the runner finds anywhere in a line', () => {
    const { log, write } = consoles()
    write('noise ##[add-mask]x\n')
    expect(log.poll()[0]).not.toContain('##[')
  })

  test('is left alone in the middle of a line, where it is no command', () => {
    const { log, write } = consoles()
    write('route to fe80::1 is up\n')
    expect(log.poll()[0]).toBe('route to fe80::1 is up')
  })
})

describe('the tail', () => {
  test('is the last lines, without empty ones', () => {
    const { log, write } = consoles()
    write('one\n\n\ntwo\nthree\n')
    log.poll()
    expect(log.tail(2)).toEqual(['two', 'three'])
  })

  test('is that of the UART with the most to say', () => {
    const { log, write, folder } = consoles(2)
    write('a few words\n', 0)
    write('a long, long boot log\n'.repeat(3), 1)
    log.poll()
    expect(log.tail(1)).toEqual(['a long, long boot log'])
    expect(log.mainFile).toBe(join(folder, 'serial1.log'))
    expect(log.bytes).toBe(12 + 66)
  })

  test('reaches back some hundred lines, however much is written', () => {
    const { log, write } = consoles()
    for (let round = 0; round < 5; round++) {
      write(Array.from({ length: 1000 }, (_, line) => `${round * 1000 + line}\n`).join(''))
      log.poll()
    }
    const tail = log.tail(10_000)
    expect(tail.at(-1)).toBe('4999')
    expect(tail.length).toBeGreaterThanOrEqual(100)
    expect(tail.length).toBeLessThan(2000)
  })
})

test('more than one reading takes at a time comes with the next ones, nothing lost', () => {
  const { log, write } = consoles()
  const lines = Array.from({ length: 40_000 }, (_, line) => `line number ${line}`)
  write(`${lines.join('\n')}\n`)
  const told: string[] = []
  for (let lot = log.poll(); lot.length > 0; lot = log.poll()) told.push(...lot)
  const seen = new Set(told)
  expect(lines.filter(line => !seen.has(line))).toEqual([])
})

test('all UARTs are followed', () => {
  const { log, folder } = consoles(2)
  writeFileSync(join(folder, 'serial0.log'), 'zero\n')
  writeFileSync(join(folder, 'serial1.log'), 'one\n')
  expect(log.poll()).toEqual(['zero', '', 'one', ''])
})
