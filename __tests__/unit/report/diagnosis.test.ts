import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { recognise, symptoms } from '../../../src/report/diagnosis'
import { BootFailure, describeFailure, HostFailure } from '../../../src/report/errors'

type Place = Exclude<keyof typeof symptoms, 'console'>

/** What programs print in the field, and the row that is to know it. */
const said: Readonly<Record<Place, readonly (readonly [line: string, id: string])[]>> = {
  late: [
    ['[ ***  ] A start job is running for dev-disk-by\\x2duuid…  (1min 12s / no limit)', 'start-job'],
    ['[*     ] A start job is running for Wait for Network to be Configured (43s / 2min 30s)', 'start-job'],
    ['[   61.5] mmc0: Timeout waiting for hardware interrupt.', 'card-slot-late'],
    ['[   61.5] sdhost-bcm2835 3f202000.mmc: timeout waiting for hardware interrupt.', 'card-slot-late'],
    ['[   81.0] rcu: INFO: rcu_sched self-detected stall on CPU', 'cpu-stall'],
    ['[   92.2] watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [swapper/0:1]', 'cpu-stall']
  ],
  qemu: [
    [
      "qemu-system-aarch64: -netdev user,id=net0: Could not set up host forwarding rule 'tcp:127.0.0.1:80-:80'",
      'port-taken'
    ],
    [
      'qemu-system-aarch64: -gdb tcp:127.0.0.1:1234: Failed to find an available port: Address already in use',
      'gdb-port-taken'
    ],
    [
      'qemu-system-aarch64: -vnc 127.0.0.1:1: Failed to find an available port: Address already in use',
      'vnc-port-taken'
    ],
    ['qemu-system-aarch64: -drive if=none: Failed to get "write" lock', 'disk-in-use'],
    ['qemu-system-aarch64: -drive if=none: Failed to get shared "consistent read" lock', 'disk-in-use'],
    ['qemu-system-aarch64: -drive if=none: Image is not in qcow2 format', 'wrong-format'],
    ['qemu-system-aarch64: Invalid SD card size: 2.87 GiB', 'card-size'],
    ['SD card size has to be a power of 2, e.g. 4 GiB.', 'card-size'],
    ['qemu-system-aarch64: Invalid RAM size, should be 1 GiB', 'memory-size'],
    ['qemu-system-aarch64: -machine raspi4b: unsupported machine type', 'old-qemu'],
    ['qemu-system-aarch64: -frobnicate: invalid option', 'unknown-argument'],
    ["qemu-system-aarch64: cannot set up guest memory 'ram': Cannot allocate memory", 'host-memory'],
    ['qemu-system-aarch64: could not write: No space left on device', 'qemu-disk-full']
  ],
  script: [
    ['qemu: uncaught target signal 11 (Segmentation fault) - core dumped', 'qemu-user-crash'],
    ['qemu: uncaught target signal 6 (Aborted) - core dumped', 'qemu-user-crash'],
    ['qemu: uncaught target signal 4 (Illegal instruction) - core dumped', 'illegal-instruction'],
    ['./test.sh: line 3:   412 Illegal instruction     python3 -c "import numpy"', 'illegal-instruction'],
    ["ls: reading directory '.': Value too large for defined data type", 'readdir-overflow'],
    ['bash: ./tool: cannot execute binary file: Exec format error', 'exec-format'],
    ['exec /usr/bin/sh: exec format error', 'exec-format'],
    ["qemu-arm: Could not open '/lib/ld-linux-armhf.so.3': No such file or directory", 'loader-missing'],
    ["qemu-aarch64-static: unable to find CPU model 'arm1176'", 'cpu-model'],
    ['qemu: Unsupported syscall: 435', 'unsupported-syscall'],
    [
      'E: Release file for http://deb.debian.org/debian/dists/bookworm-updates/InRelease is not valid yet (invalid for another 3h 12min 5s). Updates for this repository will not be applied.',
      'clock'
    ],
    ['curl: (60) SSL certificate problem: certificate is not yet valid', 'clock'],
    ['E: Release file for http://archive.example/InRelease is expired (invalid since 4d 1h).', 'release-expired'],
    [
      "E: The repository 'http://raspbian.raspberrypi.org/raspbian buster Release' no longer has a Release file.",
      'no-release-file'
    ],
    ['  404  Not Found [IP: 151.101.2.132 80]', 'no-release-file'],
    [
      "W: GPG error: http://archive.raspberrypi.com/debian trixie InRelease: The following signatures couldn't be verified because the public key is not available: NO_PUBKEY 82B129927FA3303E",
      'apt-signature'
    ],
    [
      'W: GPG error: http://deb.debian.org/debian bookworm InRelease: At least one invalid signature was encountered.',
      'apt-signature'
    ],
    ['E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 712 (apt-get)', 'apt-lock'],
    [
      'docker: Error response from daemon: toomanyrequests: You have reached your unauthenticated pull rate limit.',
      'image-pull-limit'
    ],
    ['curl: (6) Could not resolve host: example.org', 'no-network'],
    ["wget: bad address 'example.invalid'", 'no-network'],
    ["W: Failed to fetch http://deb.debian.org/debian  Temporary failure resolving 'deb.debian.org'", 'no-network'],
    ['4 packets transmitted, 0 received, 100% packet loss, time 3054ms', 'ping'],
    ['4 packets transmitted, 0 packets received, 100% packet loss', 'ping'],
    ['[  220.1] Out of memory: Killed process 655 (cc1plus) total-vm:812344kB', 'out-of-memory'],
    ['c++: fatal error: Killed signal terminated program cc1plus', 'out-of-memory'],
    ['fork: Cannot allocate memory', 'out-of-memory'],
    ["E: You don't have enough free space in /var/cache/apt/archives/.", 'disk-full'],
    ['tar: ./lib: Cannot write: No space left on device', 'disk-full'],
    ["touch: cannot touch '/etc/x': Read-only file system", 'read-only'],
    ["iptables v1.8.9 (legacy): can't initialize iptables table `nat': Table does not exist", 'docker-in-guest'],
    [
      'failed to start daemon: Error initializing network controller: error creating default "bridge" network: failed to create NAT chain DOCKER: iptables failed',
      'docker-in-guest'
    ],
    ['docker: Error response from daemon: cgroups: cgroup mountpoint does not exist: unknown.', 'docker-in-guest'],
    [
      'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?',
      'docker-daemon'
    ],
    ['modprobe: FATAL: Module i2c-dev not found in directory /lib/modules/6.1.0-41-arm64', 'kernel-module'],
    ['modprobe: module i2c-dev not found in modules.dep', 'kernel-module'],
    ["System has not been booted with systemd as init system (PID 1). Can't operate.", 'no-systemd'],
    ['Failed to connect to bus: No such file or directory', 'no-systemd'],
    ['RuntimeError: Cannot determine SOC peripheral base address', 'pi-hardware'],
    ['RuntimeError: Not running on a RPi!', 'pi-hardware'],
    ["FileNotFoundError: [Errno 2] No such file or directory: '/dev/i2c-1'", 'pi-hardware'],
    ["Error: Could not open file `/dev/i2c-1' or `/dev/i2c/1': No such file or directory", 'pi-hardware'],
    ["Can't open device file: /dev/vcio", 'pi-hardware'],
    ['This account is currently not available.', 'account-unavailable'],
    ['Password change required but no TTY available.', 'password-expired'],
    ['sudo: a terminal is required to read the password; either use the -S option', 'sudo-password'],
    ['sudo: a password is required', 'sudo-password'],
    ['/run/pi-qemu/script: 2: set: Illegal option -o pipefail', 'shell-dialect'],
    ['script.sh: 4: [[: not found', 'shell-dialect'],
    ['script.sh: 4: Syntax error: "(" unexpected', 'shell-dialect'],
    ['/run/pi-qemu/script: line 1: frobnicate: not found', 'command-not-found'],
    ['bash: line 1: gcc: command not found', 'command-not-found'],
    ['sh: 1: gcc: not found', 'command-not-found']
  ],
  host: [
    ['ENOSPC: no space left on device, write', 'host-disk-full'],
    ['qemu-img: error while writing: No space left on device', 'host-disk-full'],
    ['The following signatures could not be verified: NO_PUBKEY 6ED0E7B82643E131', 'host-old-keys'],
    ['E: Failed to fetch …  File has unexpected size (1 != 2). Mirror sync in progress?', 'mirror-in-motion'],
    ["Err:1 http://deb.debian.org bookworm Temporary failure resolving 'deb.debian.org'", 'host-no-names'],
    ['getaddrinfo ENOTFOUND downloads.raspberrypi.com', 'host-no-names'],
    ["EACCES: permission denied, open '/work/x'", 'host-not-accessible']
  ]
}

const places = Object.keys(said) as readonly Place[]
const cases = places.flatMap(place => said[place].map(([line, id]) => [place, line, id] as const))

test.each(cases)('seen (%s): %s', (place, line, id) => {
  expect(recognise(place, `something else\n${line}\nthe end`)?.row.id).toBe(id)
})

test.each(places)('every row is met by one of these lines (%s)', place => {
  const met = new Set(said[place].map(([, id]) => id))
  expect(symptoms[place].map(({ id }) => id).filter(id => !met.has(id))).toEqual([])
})

test.each([
  'Reading package lists... Done',
  'checking for a BSD-compatible install... /usr/bin/install -c',
  'test result: FAILED. 3 passed; 1 failed',
  'error: file not found in archive',
  'Traceback (most recent call last):',
  'AssertionError: expected 404 to equal 200',
  'note: memory use was 12 MB',
  '4 packets transmitted, 4 received, 0% packet loss, time 3054ms'
])('words that many programs print are no symptom: %s', line => {
  expect(recognise('script', line)).toBeUndefined()
})

describe('the rows', () => {
  const rows = Object.values(symptoms).flat()

  test('have names of their own, and say why and what to do', () => {
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length)
    for (const row of rows) {
      expect(row.id).toMatch(/^[a-z0-9-]+$/)
      expect([row.shows, row.symptom, row.cause, row.remedy].every(text => text.length > 8)).toBe(true)
    }
  })

  test('say what their patterns look for, so that readers find it on the page', () => {
    // The words in code of a row, up to what varies, are in one of its lines.
    const lines = new Map<string, string[]>()
    for (const [, line, id] of cases) lines.set(id, [...(lines.get(id) ?? []), line])
    for (const { id, shows } of places.flatMap(place => symptoms[place])) {
      const words = [...shows.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code.split('…')[0]?.trim() ?? '')
      const seen = lines.get(id) ?? []
      expect([id, words.some(word => word !== '' && seen.some(line => line.includes(word)))]).toEqual([id, true])
    }
  })
})

test('every place that a failure points at is on the page', () => {
  const root = join(__dirname, '../../..')
  const page = readFileSync(join(root, 'docs/troubleshooting.md'), 'utf8')
  const anchors = [...page.matchAll(/<a id="([^"]+)">/g)].map(([, id]) => id)
  const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' }).filter(name =>
    name.endsWith('.ts')
  )
  const seen = sources.flatMap(name => [...readFileSync(join(root, 'src', name), 'utf8').matchAll(/\bsee: '([^']+)'/g)])
  expect(seen.length).toBeGreaterThan(0)
  const wanted = [...Object.values(symptoms).flat(), ...seen.map(([, id = '']) => ({ id }))].map(({ id }) => id)
  expect(wanted.filter(id => !anchors.includes(id))).toEqual([])
  expect(anchors).toEqual([...new Set(anchors)])
})

describe('a failure without a cause', () => {
  test('of the host is explained by its words, and keeps its own remedy and log', () => {
    const error = new HostFailure({ symptom: 'cp: x: No space left on device', remedy: 'buy a disk', log: '/l' })
    expect(describeFailure(error).split('\n')).toEqual([
      'cp: x: No space left on device',
      'Cause: the disk is full',
      'Remedy: buy a disk',
      'Log: /l',
      'See: docs/troubleshooting.md#host-disk-full'
    ])
  })

  test('of a guest that is being set up, too', () => {
    const error = new BootFailure({
      symptom: 'the guest could not be set up: This account is currently not available.'
    })
    expect(describeFailure(error)).toMatch(/\nCause: .*nobody in[\s\S]*\nSee: .*#account-unavailable$/)
  })

  test('that has one is left as it is', () => {
    const error = new HostFailure({ symptom: 'No space left on device', cause: 'a quota' })
    expect(describeFailure(error)).toBe('No space left on device\nCause: a quota')
  })

  test('an error of Node says what it means', () => {
    const text = describeFailure(new Error('ENOSPC: no space left on device, write'))
    expect(text).toMatch(/^Error: ENOSPC[\s\S]*\nCause: the disk is full\nRemedy: [\s\S]*#host-disk-full$/)
  })
})
