import { existsSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { boards } from '../../../src/boards'
import { homeFolders } from '../../../src/host/paths'
import type { QemuChoice } from '../../../src/inputs'
import { Journal } from '../../../src/journal'
import {
  describeInstall,
  provideQemu,
  qemuArguments,
  qemuCommand,
  type Machine,
  type QemuInstall
} from '../../../src/qemu'
import { privateInstall } from '../../../src/qemu/private'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'
import { answers, script } from './fake-qemu'

const scratch = scratchFolder()
const path = process.env['PATH'] ?? ''
let bin: string
let log: RecordedLog
beforeEach(() => {
  delete process.env['GITHUB_STATE']
  bin = scratch.fresh()
  log = new RecordedLog()
})
afterEach(() => {
  process.env['PATH'] = path
})

function provide(choice: QemuChoice, board: keyof typeof boards): Promise<QemuInstall> {
  const home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  return provideQemu(choice, boards[board], { home, journal: Journal.create(home), log })
}

describe("the host's", () => {
  test('is taken if it has the board, and the log says which and why', async () => {
    const program = script(join(bin, 'qemu-system-aarch64'), answers('9.2.1 (Debian 1:9.2.1+ds-1)'))
    process.env['PATH'] = `${bin}:${path}`
    for (const kind of ['auto', 'host'] as const) {
      expect(await provide({ kind }, 'raspi4b')).toEqual({
        ...{ origin: 'host', program, arguments: [], env: {} },
        ...{ version: '9.2.1', build: 'Debian 1:9.2.1+ds-1' }
      })
    }
    expect(log.entries[0]).toBe("info: QEMU 9.2.1, the host's (Debian 1:9.2.1+ds-1): the host's has board raspi4b")
  })

  test('is refused before anything else if it lacks the board', async () => {
    script(join(bin, 'qemu-system-aarch64'), answers('7.2.22'))
    process.env['PATH'] = bin
    await expect(provide({ kind: 'host' }, 'raspi4b')).rejects.toMatchObject({
      outcome: 'bad-input',
      faults: [expect.stringMatching(/raspi4b.*QEMU 9\.0.*QEMU 7\.2\.22.*`qemu: auto` or `qemu: private`.*raspi3b/)]
    })
    expect(log.entries).toEqual([])
  })

  test('is refused by what apt has, too, without installing it', async () => {
    // No QEMU in sight, for which sbin is empty of one as well.
    script(
      join(bin, 'apt-cache'),
      `echo "$*" >> ${bin}/asked; printf 'qemu-system-arm:\\n  Installed: (none)\\n  Candidate: 1:8.2.2+ds-0ubuntu1\\n'`
    )
    script(join(bin, 'apt-get'), `echo "$*" >> ${bin}/asked; exit 1`)
    process.env['PATH'] = bin
    await expect(provide({ kind: 'host' }, 'raspi4b')).rejects.toMatchObject({
      outcome: 'bad-input',
      faults: [expect.stringContaining('its apt has QEMU 8.2.2')]
    })
    expect(log.entries).toEqual([])
  })
})

describe('a bare host with apt', () => {
  /** apt knows no package before its first update; what it then installs is on the PATH. */
  function bareHost(candidate: string, installs: string): void {
    for (const name of ['env', 'sh', 'cp', 'touch']) symlinkSync(join('/usr/bin', name), join(bin, name))
    script(join(bin, 'sudo'), 'shift; exec "$@"')
    script(join(bin, 'true'), 'exit 0')
    script(join(bin, 'to-install'), answers(installs))
    script(
      join(bin, 'apt-cache'),
      `if [ -e ${bin}/updated ]; then echo '  Candidate: ${candidate}'; else echo '  Candidate: (none)'; fi`
    )
    script(
      join(bin, 'apt-get'),
      `case " $* " in
*" update "*) touch ${bin}/updated ;;
*" install "*" qemu-system-arm "*) cp ${bin}/to-install ${bin}/qemu-system-aarch64 ;;
*) exit 100 ;;
esac`
    )
    process.env['PATH'] = bin
  }

  test("installs the host's package if its version has the board, after an update if the lists are not there", async () => {
    bareHost('1:8.2.2+ds-0ubuntu1.10', '8.2.2 (Debian 1:8.2.2+ds-0ubuntu1.10)')
    expect(await provide({ kind: 'auto' }, 'raspi3b')).toMatchObject({ origin: 'host', version: '8.2.2' })
    expect(log.of('info').slice(0, 2)).toEqual(['Updating the package lists', 'Installing qemu-system-arm'])
  })

  test('does not install it if it lacks the board', async () => {
    bareHost('1:8.2.2+ds-0ubuntu1.10', '8.2.2')
    await expect(provide({ kind: 'host' }, 'raspi4b')).rejects.toMatchObject({ outcome: 'bad-input' })
    expect(existsSync(join(bin, 'qemu-system-aarch64'))).toBe(false)
  })

  test('looks again at what came', async () => {
    bareHost('1:9.2.0+ds-1', '8.2.2')
    await expect(provide({ kind: 'host' }, 'raspi4b')).rejects.toMatchObject({
      faults: [expect.stringContaining('it has QEMU 8.2.2')]
    })
  })
})

describe('a program of the user', () => {
  test('is taken if it has the board', async () => {
    const program = script(join(bin, 'my qemu'), answers('10.1.50 (v10.1.0-12-gdeadbeef)'))
    const install = await provide({ kind: 'path', path: program }, 'raspi4b')
    expect(install).toMatchObject({ origin: 'path', program, version: '10.1.50' })
    expect(describeInstall(install)).toBe(`10.1.50, ${program} (v10.1.0-12-gdeadbeef)`)
  })

  test.each<[string, (file: string) => void, RegExp]>([
    [
      'cannot be run',
      file => {
        writeFileSync(file, 'text')
      },
      /which cannot be run: .*EACCES/
    ],
    [
      'is something else',
      file => script(file, 'echo qemu-img version 10.0.2'),
      /which is no QEMU system emulator; valid: auto, host, private/
    ],
    ['fails', file => script(file, 'exit 3'), /which is no QEMU system emulator/],
    [
      'is built without the board',
      file => script(file, answers('10.0.0', ['virt', 'raspi3b'])),
      /QEMU 10\.0\.0, which has no board `raspi4b`.*`qemu: private`, or `board: raspi3b`/
    ],
    [
      'has none of its kind',
      file => script(file, answers('10.0.0', ['q35'])),
      /no board `raspi4b` .*`qemu: auto` or `qemu: private`$/
    ]
  ])('that %s is one clear error', async (_title, make, fault) => {
    const file = join(bin, 'program')
    make(file)
    await expect(provide({ kind: 'path', path: file }, 'raspi4b')).rejects.toMatchObject({
      outcome: 'bad-input',
      faults: [expect.stringMatching(fault)]
    })
  })
})

describe('the command line', () => {
  const machine: Machine = {
    ...{ board: boards.raspi4b, cpu: undefined, machineOptions: undefined, memoryMiB: 2048, cpus: 4, clock: 'host' },
    ...{ hasDisk: true, kernel: '/k', initrd: undefined, dtb: 'board.dtb', kernelArguments: [], volumes: [] },
    ...{ disks: [], forwards: [], extra: [], logs: '/logs' }
  }

  test("of the host's QEMU is its program and the machine", () => {
    expect(qemuCommand(machine, { program: '/usr/bin/q', arguments: [], env: {} })).toEqual([
      '/usr/bin/q',
      ...qemuArguments(machine)
    ])
  })

  test('of a private one is its loader with its libraries, its program and data, and then the machine', () => {
    const start = privateInstall('/tools/x64', 'ld-linux-x86-64.so.2')
    expect(qemuCommand(machine, start)).toEqual([
      '/tools/x64/lib/ld-linux-x86-64.so.2',
      ...['--inhibit-cache', '--library-path', '/tools/x64/lib', '/tools/x64/bin/qemu-system-aarch64'],
      ...['-L', '/tools/x64/share', '-name', 'process=qemu-system-aarch64'],
      ...qemuArguments(machine)
    ])
    expect(start.env).toEqual({ QEMU_MODULE_DIR: '/tools/x64/lib/qemu' })
  })
})
