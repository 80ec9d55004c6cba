import { spawn } from 'node:child_process'
import { readFile, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Qmp } from '../../src/qemu/qmp'
import { runFiles, screenshot } from '../../src/qemu'
import { GdbRemote } from '../../src/usermode/exec/gdb-remote'
import { difference, hostState, unchanged } from '../kit/host-state'
import { pixelsOf } from '../kit/pixels'
import { run } from '../kit/run'
import { repository, RunnerJob, sharedHome } from '../kit/runner'
import { freePort, refusal, talkTo, until } from '../kit/sockets'

jest.setTimeout(300_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

describe('a Pi 3 that can be looked into', () => {
  test('has a screen with its boot on it, VNC, a monitor and a console', async () => {
    const before = await hostState({ roots: [] })
    const vnc = await freePort()
    const step = job.step({
      ...{
        board: 'raspi3b',
        sync: 'none',
        vnc: String(vnc),
        monitor: 'true',
        serial: 'socket',
        'keep-running': 'true'
      },
      run: 'true'
    })
    const { code, outputs, log } = await step.main()
    expect([code, log]).toEqual([0, expect.any(String)])
    const inGuest = (command: string): Promise<string> => run('ssh', ['-F', outputs['ssh-config'] ?? '', 'pi', command])

    // The screen: every line of the text console is where it should be, and the rest is dark.
    const folder = dirname(outputs['monitor-socket'] ?? '')
    const shot = join(job.temp, 'screen.png')
    const qmp = await Qmp.connect(folder, runFiles.qmp)
    const text = await inGuest('cat /dev/vcs1')
    await screenshot(qmp, shot)
    qmp.close()
    if (process.env['PI_QEMU_TEST_SHOT']) await writeFile(process.env['PI_QEMU_TEST_SHOT'], await readFile(shot))
    const screen = pixelsOf(await readFile(shot))
    expect([screen.width, screen.height]).toEqual([640, 480])
    expect(screen.colours.size).toBeGreaterThan(1)
    const [columns, rows] = [screen.width / 8, screen.height / 16]
    const lines = Array.from({ length: rows }, (_, row) => text.slice(row * columns, (row + 1) * columns))
    expect(lines.filter(line => /^\[ *\d+\.\d{6}\] /.test(line)).length).toBeGreaterThan(5)
    const isLit = (row: number): boolean =>
      Array.from({ length: 16 * screen.width }).some((_, at) =>
        screen.isLit(at % screen.width, row * 16 + Math.floor(at / screen.width))
      )
    const wrong = lines.flatMap((line, row) => ((line.trim() !== '') === isLit(row) ? [] : [`${row}: ${line}`]))
    // The cursor may be on a line of its own.
    expect(wrong.filter(entry => /\S/.test(entry.replace(/^\d+:/, '')))).toEqual([])
    expect(wrong.length).toBeLessThanOrEqual(1)

    // VNC: its greeting (RFC 6143, 7.1.1) on 127.0.0.1, and nobody there on another address of this host.
    const viewer = await talkTo({ host: '127.0.0.1', port: vnc })
    expect(await viewer.until(/\n/, 5000)).toMatch(/^RFB 003\.\d{3}\n$/)
    viewer.socket.destroy()
    expect(await refusal({ host: '127.0.0.2', port: vnc })).toBe('ECONNREFUSED')

    const monitor = await talkTo({ path: outputs['monitor-socket'] ?? '' })
    await monitor.until(/\(qemu\)/, 5000)
    monitor.socket.write('info status\n')
    expect(await monitor.until(/VM status/, 5000)).toContain('VM status: running')
    monitor.socket.destroy()
    const protocol = await talkTo({ path: outputs['qmp-socket'] ?? '' })
    await protocol.until(/"QMP"/, 5000)
    protocol.socket.write('{"execute": "qmp_capabilities"}\n{"execute": "query-status"}\n')
    await protocol.until(/"status": "running"/, 5000)
    protocol.socket.destroy()

    // The console: a shell answers, and the log has what came before anybody listened, and this as well.
    const console = await talkTo({ path: outputs['serial-socket'] ?? '' })
    console.socket.write('\r')
    await console.until(/# \S*$/, 10_000)
    console.socket.write('echo $((6 * 7))\r')
    await console.until(/^42\r$/m, 10_000)
    console.socket.destroy()
    expect((await stat(dirname(outputs['serial-socket'] ?? ''))).mode & 0o077).toBe(0)
    const serial = await readFile(outputs['serial-log'] ?? '', 'utf8')
    expect(serial).toContain('Booting Linux on physical CPU')
    expect(serial).toMatch(/^42\r*$/m)

    expect((await step.post()).code).toBe(0)
    expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  })
})

describe('gdb', () => {
  /** The program counter in the answer to `g`: behind x0 to x30 and the stack pointer, 16 digits each. */
  const programCounter = (registers: string): string => registers.slice(32 * 16, 33 * 16)
  const littleEndian = (address: string): string => Buffer.from(address, 'hex').reverse().toString('hex')

  test('stops the kernel at the address of a symbol, before it has done anything, and lets it boot', async () => {
    const port = await freePort()
    const ask = `awk '$3 == "start_kernel" { print $1 }' /proc/kallsyms`
    const first = job.step({ board: 'virt', sync: 'none', gdb: String(port), run: ask })
    const [startKernel = 'no address'] = /\bffff[0-9a-f]{12}$/m.exec((await first.main()).stdout) ?? []
    await first.post()
    const step = job.step({ board: 'virt', sync: 'none', gdb: `${port},wait`, run: 'cat /proc/cmdline' })
    const running = await step.start()
    await running.waitForLog(/target remote 127\.0\.0\.1:(\d+)/, 120_000)
    expect(await refusal({ host: '127.0.0.2', port })).toBe('ECONNREFUSED')
    const { socket } = await talkTo({ host: '127.0.0.1', port })
    const gdb = new GdbRemote(socket, (_, acknowledge) => {
      acknowledge()
    })
    expect(await gdb.ask('?')).toMatch(/^T05/)
    expect(await gdb.ask(`Z1,${startKernel},4`)).toBe('OK')
    expect(await gdb.ask('c', 60_000)).toMatch(/^T05/)
    expect(programCounter(await gdb.ask('g'))).toBe(littleEndian(startKernel))
    expect(await gdb.ask(`z1,${startKernel},4`)).toBe('OK')
    expect(await gdb.ask('D')).toBe('OK')
    gdb.end()
    const { code, stdout, outputs } = await running.done
    expect([code, outputs['outcome']]).toEqual([0, 'success'])
    expect(stdout).toContain('nokaslr')
    expect(JSON.parse(outputs['timings'] ?? '{}')).toHaveProperty('gdb')
    await step.post()
  })

  test('that nobody starts is told apart from a slow boot', async () => {
    const step = job.step({
      ...{ board: 'virt', sync: 'none', gdb: `${await freePort()},wait`, 'boot-timeout': '2s' },
      run: 'true'
    })
    const { code, outputs, log } = await step.main()
    expect([code, outputs['outcome']]).toEqual([124, 'timeout'])
    expect(log).toContain('gdb did not let the CPUs go within 2 s (boot-timeout)')
    await step.post()
  })
})

test.each(['gdb', 'vnc'])('a port of `%s` that is taken is named', async input => {
  const server = createServer()
  const listen = (port: number): Promise<number> =>
    new Promise((resolve, reject) => {
      server.once('error', reject).listen(port, '127.0.0.1', () => {
        resolve((server.address() as { port: number }).port)
      })
    })
  const port = await listen(await freePort())
  const step = job.step({ board: 'virt', sync: 'none', [input]: String(port), run: 'true' })
  const { outputs, log } = await step.main()
  server.close()
  await step.post()
  expect(outputs['outcome']).toBe('boot-failed')
  expect(log).toContain(`the port in \`${input}\` is taken by another program`)
})

describe('debug-on-failure', () => {
  test('a Pi whose script failed stays until the file is touched; the log says how to get in', async () => {
    const before = await hostState({ roots: [] })
    const step = job.step({
      board: 'virt',
      sync: 'none',
      'debug-on-failure': '10',
      run: 'echo clue > /tmp/clue; exit 3'
    })
    const running = await step.start()
    const [, file = ''] = await running.waitForLog(/end of: touch (\S+)/, 120_000)
    const [, config = ''] = await running.waitForLog(/SSH: ssh -F (\S+) pi/, 5000)
    const [, socket = ''] = await running.waitForLog(/UNIX-CONNECT:(\S+)/, 5000)
    expect(await run('ssh', ['-F', config, 'pi', 'cat /tmp/clue'])).toBe('clue\n')
    expect(await refusal({ path: socket })).toBeUndefined()
    await run('touch', [file])
    const { code, outputs, log } = await running.done
    expect([code, outputs['exit-code'], outputs['outcome']]).toEqual([3, '3', 'script-failed'])
    expect(log).toContain('done with debugging')
    await step.post()
    expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  })

  test('no longer than the time it is given', async () => {
    const step = job.step({ board: 'virt', sync: 'none', 'debug-on-failure': '3s', run: 'exit 4' })
    const { code, log, outputs } = await step.main()
    expect(code).toBe(4)
    expect(log).toContain('The time for debugging is over')
    const { debug } = JSON.parse(outputs['timings'] ?? '{}') as { debug: number }
    expect(debug).toBeGreaterThanOrEqual(3)
    expect(debug).toBeLessThan(6)
    await step.post()
  })

  test('nor when the job is cancelled', async () => {
    const before = await hostState({ roots: [] })
    const step = job.step({ board: 'virt', sync: 'none', 'debug-on-failure': '10', run: 'exit 5' })
    const running = await step.start()
    await running.waitForLog(/end of: touch/, 120_000)
    const began = Date.now()
    const { code } = await job.cancel(running)
    expect(code).toBe(130)
    expect(Date.now() - began).toBeLessThan(7000)
    await step.post()
    expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
  })

  test('a Pi that does not boot has its console', async () => {
    const step = job.step({
      ...{ board: 'virt', sync: 'none', 'debug-on-failure': '5m', append: 'root=/dev/nowhere', run: 'true' }
    })
    const running = await step.start()
    const [, file = ''] = await running.waitForLog(/end of: touch (\S+)/, 120_000)
    const [, socket = ''] = await running.waitForLog(/UNIX-CONNECT:(\S+)/, 5000)
    expect(running.log).toContain('/dev/nowhere')
    expect(await refusal({ path: socket })).toBeUndefined()
    await run('touch', [file])
    const { code, outputs } = await running.done
    expect([code, outputs['outcome']]).toEqual([125, 'boot-failed'])
    await step.post()
  })
})

test('pi-qemu console: the boot from its first word on, a shell, and Ctrl-] ends it', async () => {
  const before = await hostState({ roots: [] })
  const words = [process.execPath, join(repository, 'dist/cli/index.js'), 'console', '--board', 'virt']
  // script(1) gives it a terminal, and passes on what that gets.
  const child = spawn('script', ['--quiet', '--return', '--command', words.join(' '), '/dev/null'], {
    env: {
      ...{ PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/root', PI_QEMU_HOME: sharedHome },
      ...{ TERM: 'dumb', RUNNER_DEBUG: '1' }
    },
    stdio: ['pipe', 'pipe', 'inherit']
  })
  let shown = ''
  let code: number | null | undefined
  child.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString('latin1')))
  const ended = new Promise<void>(resolve => {
    child.once('close', status => {
      code = status
      resolve()
    })
  })
  const shows = (pattern: RegExp, ms: number): Promise<string> =>
    until(
      () => shown,
      () => code !== undefined,
      pattern,
      ms
    )
  await shows(/Booting Linux on physical CPU/, 120_000)
  await shows(/Please press Enter/, 60_000)
  child.stdin.write('\r')
  await shows(/# \S*$/, 10_000)
  // Ctrl-C is the guest's.
  child.stdin.write('sleep 1000\x03')
  await sleep(500)
  child.stdin.write('echo $((6 * 7))\r')
  await shows(/^42\r$/m, 10_000)
  child.stdin.write('\x1d')
  await ended
  expect([code, shown]).toEqual([0, expect.stringContaining('Left the console')])
  // RUNNER_DEBUG makes it talkative.
  expect(shown).toMatch(/qemu-system-aarch64 .*-machine virt/)
  expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
})
