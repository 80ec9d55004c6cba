import { Writable } from 'node:stream'
import { mib, terminalLog, type Log } from '../../../src/report/log'

/** A terminal, or a file in place of one, that keeps what is written to it. */
function screen(isTTY: boolean, verbose = false): { readonly log: Log; readonly text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Buffer, _, done) {
      chunks.push(chunk)
      done()
    }
  })
  const log = terminalLog(Object.assign(stream, { isTTY, columns: 20 }) as unknown as NodeJS.WriteStream, verbose)
  return { log, text: () => Buffer.concat(chunks).toString() }
}

test('on a terminal each word of ours is a line, and what is said below a title is indented', () => {
  const { log, text } = screen(false)
  log.group('Boot')
  log.info('one\ntwo')
  log.endGroup()
  log.warn('careful')
  log.error('over')
  log.debug('not of interest')
  expect(text()).toBe('> Boot\n  one\n  two\nwarning: careful\nerror: over\n')
})

test('more is said when asked to', () => {
  const { log, text } = screen(false, true)
  log.debug('of interest')
  expect(text()).toBe('  of interest\n')
})

test('in a file progress is lines', () => {
  const { log, text } = screen(false)
  log.progress('50 %')
  log.progress(null)
  expect(text()).toBe('  50 %\n')
})

test('on a terminal progress is one line that is overwritten, never wraps, and gives way', () => {
  const { log, text } = screen(true)
  log.progress('x'.repeat(100))
  log.info('done')
  log.info('more')
  expect(text()).toBe(`\r\x1b[K  ${'x'.repeat(17)}\r\x1b[K  done\n  more\n`)
})

test.each([
  [0, '0.0 MiB'],
  [1_572_864, '1.5 MiB'],
  [10_485_760, '10 MiB'],
  [2_600_468_480, '2480 MiB']
])('%d bytes are %s', (bytes, text) => {
  expect(mib(bytes)).toBe(text)
})
