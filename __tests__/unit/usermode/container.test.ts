import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import {
  createArguments,
  importArguments,
  machineOf,
  mountOption,
  startText,
  type StartRequest
} from '../../../src/usermode/container/argv'
import { creationFailure, scriptEnding, type Ended } from '../../../src/usermode/container/ending'
import { noEngine } from '../../../src/usermode/container/engine'
import { giveBackArguments } from '../../../src/usermode/container/give-back'
import { archiveKind, namesInArchive } from '../../../src/usermode/container/image'
import { platforms } from '../../../src/usermode/platforms'
import { BadInput, type Failure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

describe('the container', () => {
  const plan = {
    ...{ name: 'pi-qemu-run-1', run: 'run-1', image: 'debian:bookworm', platform: 'linux/arm/v7', isHere: false },
    ...{ user: undefined, binds: [{ from: '/home/me/a,b "c"', to: '/w', readOnly: true }] }
  }

  test('is created with an init of its own, and nothing of the script in its arguments', () => {
    expect(createArguments(plan)).toEqual([
      ...['create', '--init', '--name', 'pi-qemu-run-1', '--label', 'pi-qemu.run=run-1', '--pull', 'missing'],
      ...['--platform', 'linux/arm/v7', '--mount', 'type=bind,"source=/home/me/a,b ""c""",target=/w,readonly'],
      ...['--entrypoint', 'sh', 'debian:bookworm', '/run/pi-qemu/start']
    ])
  })

  test('of an image that is here is not looked for elsewhere', () => {
    const args = createArguments({ ...plan, platform: undefined, isHere: true, user: 'pi', binds: [] })
    expect(args.join(' ')).toContain('--pull never --user pi --entrypoint sh')
  })

  test('binds paths with blanks and colons as they are', () => {
    expect(mountOption({ from: '/a b:c', to: '/d' })).toBe('type=bind,source=/a b:c,target=/d')
  })

  test("is made of a root file system by each engine's flags", () => {
    expect(importArguments('docker', 'r.tar', 'linux/arm/v7', 'x:1')).toEqual([
      ...['import', '--platform', 'linux/arm/v7', 'r.tar', 'x:1']
    ])
    expect(importArguments('podman', 'r.tar', 'linux/arm/v7', 'x:1')).toEqual([
      ...['import', '--os', 'linux', '--arch', 'arm', '--variant', 'v7', 'r.tar', 'x:1']
    ])
    expect(importArguments('podman', 'r.tar', 'linux/arm64', 'x:1')).not.toContain('--variant')
  })
})

test('archives are told apart by what is in them', () => {
  expect(archiveKind(['blobs', 'index.json', 'manifest.json', 'oci-layout'])).toBe('docker')
  expect(archiveKind(['oci-layout', 'index.json'])).toBe('oci')
  expect(archiveKind(['bin', 'etc/passwd'])).toBe('root')
  expect(namesInArchive('[{"RepoTags":["a:1","b:2"]},{"RepoTags":null}]')).toEqual(['a:1', 'b:2'])
})

describe('the start of a script', () => {
  const { root } = scratchFolder()
  const usual: StartRequest = { shell: undefined, env: {}, directory: undefined, machine: undefined }

  /** Runs the text with the folder of a run in place of the container's; returns what it told and its output. */
  function start(request: Partial<StartRequest>, script = 'true'): { told: string; status: number; said: string } {
    const files = join(root, `run-${Math.random()}`)
    mkdirSync(files)
    writeFileSync(join(files, 'script'), script)
    const bin = join(files, 'bin')
    mkdirSync(bin)
    writeFileSync(join(bin, 'uname'), '#!/bin/sh\necho armv7l\n')
    chmodSync(join(bin, 'uname'), 0o755)
    const text = startText({ ...usual, ...request }).replaceAll('/run/pi-qemu', files)
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
    let [status, said] = [0, '']
    try {
      said = execFileSync('sh', ['-c', text], { env, encoding: 'utf8' })
    } catch (error) {
      status = (error as { status: number }).status
    }
    return { told: execFileSync('cat', [join(files, 'told')], { encoding: 'utf8' }), status, said }
  }

  test('sets the environment to the letter, and becomes the shell', () => {
    const env = { A: `it's "$HOME" \\ $(false)`, B: 'two\nlines' }
    const { told, said } = start({ env, directory: '/usr', shell: 'sh' }, 'printf "%s|%s|%s" "$A" "$B" "$PWD"')
    expect([told, said]).toEqual(['started\n', `it's "$HOME" \\ $(false)|two\nlines|/usr`])
  })

  test('tells of a machine of another platform, and of a folder that is not there', () => {
    expect(start({ machine: 'aarch64' })).toEqual({ told: 'started\nmachine armv7l\n', status: 1, said: '' })
    expect(start({ machine: 'arm*' }).told).toBe('started\n')
    expect(start({ directory: '/no where' }).told).toBe('started\ndirectory\n')
  })

  test('knows how the machine of each platform calls itself', () => {
    expect(platforms.slice(0, 6).map(machineOf)).toEqual(['aarch64', 'arm*', 'arm*', 'arm*', 'riscv64', 'ppc64*'])
  })
})

describe('the end of a script', () => {
  const ended: Ended = {
    ...{ image: 'app:1', platform: 'linux/arm64', status: 0, fault: '', told: ['started'], words: '', timedOut: false },
    directory: undefined
  }
  const failure = (more: Partial<Ended>): Failure => {
    try {
      scriptEnding({ ...ended, ...more })
    } catch (error) {
      return error as Failure
    }
    throw new Error('it went well')
  }

  test("has the script's status, whatever it is", () => {
    for (const status of [0, 1, 124, 125, 126, 127, 132, 137])
      expect(scriptEnding({ ...ended, status })).toMatchObject({ exitCode: status })
    expect(scriptEnding({ ...ended, status: 137, timedOut: true })).toMatchObject({ outcome: 'timeout', exitCode: 124 })
  })

  test.each([
    [
      { told: [], status: 127, words: '[FATAL tini (7)] exec sh failed: No such file or directory' },
      /^there is no shell in app:1/
    ],
    [{ told: [], status: 127, fault: 'exec: "sh": executable file not found in $PATH' }, /^there is no shell/],
    [{ told: [], status: 1, words: 'exec /usr/bin/sh: exec format error' }, /^no program runs in app:1/],
    [
      { told: [], status: 127, fault: 'unable to find user x: no matching entries in passwd file' },
      /^there is no such user/
    ],
    [{ told: [], status: 2, words: "sh: 0: can't open '/run/pi-qemu/start'" }, /^the run's files cannot be read/],
    [{ told: [], status: 3 }, /^the script could not be started in app:1: status 3/],
    [{ told: ['started', 'machine x86_64'], status: 1 }, /^app:1 is for x86_64, and `platforms` asks for linux\/arm64/],
    [
      { status: undefined, fault: 'no such container' },
      /^the container was lost while its script ran: no such container/
    ]
  ] as const)('%j is no fault of the script', (more, symptom) => {
    const { details, outcome } = failure(more)
    expect(outcome).toBe('host-failed')
    expect(details.symptom).toMatch(symptom)
  })

  test('in a folder that is not there is bad input', () => {
    expect(failure({ told: ['started', 'directory'], directory: '/x' })).toBeInstanceOf(BadInput)
  })
})

test.each([
  ['no match for platform in manifest: not found', 'the image is not made for this platform'],
  ['pull access denied for nothing, repository does not exist', /registry has no such image/],
  ['dial tcp: lookup registry.test: no such host', 'the registry cannot be reached'],
  ['write /var/lib/x: no space left on device', 'the disk is full'],
  ['something new', undefined]
] as const)('a container that cannot be created: %s', (words, cause) => {
  const { details } = creationFailure('a:1', 'linux/arm64', words)
  expect(details.symptom).toBe(`the container could not be created from a:1 for linux/arm64: ${words}`)
  expect(details.cause).toEqual(typeof cause === 'object' ? expect.stringMatching(cause) : cause)
})

describe('no engine', () => {
  test('is told apart from one that does not run', () => {
    expect(
      noEngine([
        ['docker', undefined],
        ['podman', undefined]
      ])
    ).toEqual({
      symptom: 'this host has neither docker nor podman',
      remedy: 'install one: sudo apt-get install docker.io, or podman'
    })
    const words = 'Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?'
    expect(
      noEngine([
        ['docker', { silent: words }],
        ['podman', undefined]
      ])
    ).toMatchObject({
      symptom: `docker is installed, but its engine does not answer: ${words}`,
      remedy: 'start it: sudo systemctl start docker'
    })
  })

  test('may be for want of rights', () => {
    const words = 'permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock'
    expect(noEngine([['docker', { silent: words }]]).cause).toBe("this user may not use Docker's socket")
  })
})

test("root's new files are found by the time of their last change, and nothing else is given away", () => {
  expect(giveBackArguments('/w', 1_700_000_000_123, { uid: 1001, gid: 121 })).toEqual([
    ...['/w', '-xdev', '-uid', '0', '-newerct', '@1700000000.123'],
    ...['-exec', 'chown', '--no-dereference', '1001:121', '{}', '+']
  ])
})
