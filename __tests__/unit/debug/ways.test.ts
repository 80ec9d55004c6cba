import { waysIn } from '../../../src/debug/ways'
import { defaultInputs } from '../samples'

const { debugging } = defaultInputs
const place = { serialSocket: '/run/serial0.sock', monitorSocket: '/run/monitor.sock' }

test('the console is always there', () => {
  expect(waysIn({ ...place, debugging, sshConfig: undefined, letUsIn: false })).toEqual([
    'serial console, Ctrl-] leaves it: socat -,rawer,escape=0x1d UNIX-CONNECT:/run/serial0.sock'
  ])
})

test('every other way that there is has a line', () => {
  const all = { ...debugging, gdb: { port: 1234, waits: false }, monitor: true, vnc: 5901 }
  expect(waysIn({ ...place, debugging: all, sshConfig: '/run/ssh-config', letUsIn: true })).toEqual([
    'SSH: ssh -F /run/ssh-config pi',
    expect.stringContaining('serial0.sock'),
    'display: VNC on 127.0.0.1:5901',
    'gdb: target remote 127.0.0.1:1234',
    "QEMU's monitor: socat - UNIX-CONNECT:/run/monitor.sock"
  ])
})

test('of an SSH server that has not answered nothing is promised', () => {
  const [first] = waysIn({ ...place, debugging, sshConfig: '/run/ssh-config', letUsIn: false })
  expect(first).toBe('SSH, if its server answers by now: ssh -F /run/ssh-config pi')
})
