import { parseInputs, type Inputs, type RawInputs } from '../../../src/inputs'
import { BadInput } from '../../../src/report/errors'

const parse = (raw: RawInputs): Inputs => parseInputs(raw, { env: {}, workspace: '/work/project' })

function faultsOf(raw: RawInputs): readonly string[] {
  try {
    parse(raw)
    return []
  } catch (error) {
    if (error instanceof BadInput) return error.faults
    throw error
  }
}

test('every input for debugging arrives', () => {
  expect(
    parse({ 'debug-on-failure': '30', gdb: ' 1234,wait ', monitor: 'true', serial: 'socket', vnc: '5901' })
  ).toMatchObject({
    debugging: { onFailure: 1_800_000, gdb: { port: 1234, waits: true }, monitor: true, serial: 'socket', vnc: 5901 }
  })
  expect(parse({ gdb: '1234' }).debugging.gdb).toEqual({ port: 1234, waits: false })
})

test.each([
  ['30', 30 * 60_000],
  ['0.5', 30_000],
  ['90s', 90_000],
  ['2h', 7_200_000]
])('debug-on-failure: %s are %i ms', (text, ms) => {
  expect(parse({ 'debug-on-failure': text }).debugging.onFailure).toBe(ms)
})

test.each<[RawInputs, RegExp]>([
  [{ gdb: '0' }, /^input `gdb` is “0”; valid: a port from 1 to 65535, and `,wait` behind it/],
  [{ gdb: '70000' }, /^input `gdb` is “70000”/],
  [{ gdb: '1234,stop' }, /^input `gdb` is “1234,stop”/],
  [{ vnc: '1' }, /^input `vnc` is “1”; valid: a whole number from 5900 to 65535$/],
  [{ serial: 'tty' }, /^input `serial` is “tty”; valid: file, socket$/],
  [{ 'debug-on-failure': 'long' }, /^input `debug-on-failure` is “long/],
  [{ gdb: '5900', vnc: '5900' }, /^inputs `gdb` and `vnc` name the same port, 5900$/],
  [{ gdb: '8080', ports: '8080:80' }, /^inputs `gdb` and `ports` name the same port, 8080$/],
  [{ gdb: '1234,wait', 'first-boot': 'run' }, /^inputs `gdb` with `wait` and `first-boot: run` do not go together/],
  [
    { mode: 'user', gdb: '1234', vnc: '5900', monitor: 'true', serial: 'socket', 'debug-on-failure': '5' },
    /^`debug-on-failure`, `gdb`, `monitor`, `serial`, `vnc`: for an emulated board, and `mode: user` has none$/
  ]
])('%p is refused', (raw, fault) => {
  expect(faultsOf(raw)).toEqual([expect.stringMatching(fault)])
})

test('a UDP port may have the number of a TCP port', () => {
  expect(faultsOf({ gdb: '8080', ports: '8080:80/udp' })).toEqual([])
})

test('a bare kernel is looked at while it runs', () => {
  const faults = faultsOf({
    image: 'none',
    board: 'virt',
    kernel: __filename,
    'debug-on-failure': '5',
    gdb: '1234,wait'
  })
  expect(faults).toEqual([expect.stringMatching(/^input `debug-on-failure` needs an image; .*`gdb`/)])
})
