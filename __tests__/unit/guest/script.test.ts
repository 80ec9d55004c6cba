import { spawn, spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import {
  freezeText,
  guestDirectory,
  guestFolder,
  kernelIn,
  noSuchDirectory,
  setupText,
  shellCommand,
  shellQuote,
  startCommand,
  stopText,
  thawText,
  type ScriptRequest,
  type SetupRequest
} from '../../../src/guest/script'
import { identify, waitForEnd } from '../../../src/host/processes'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

const nasty = [
  '',
  ' ',
  'two words',
  `it's`,
  `''`,
  `'; reboot; '`,
  'say "hi"',
  '$HOME ${HOME} $(id) `id`',
  'back\\slash \\n \\',
  'tab\tline\nline\n\nend\n',
  '\n',
  '!history !! *? [a-z] ~ {a,b}',
  '; | & < > ( ) #',
  '-n -e --',
  '%s %d %%',
  'grün “€” 🥧',
  'carriage\rreturn \x1b[31m \x01'
]

interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Commands of the guest that would change this machine, and those a test wants to answer itself. */
function guestCommands(answers: Readonly<Record<string, string>> = {}): {
  readonly path: string
  readonly calls: () => readonly string[][]
} {
  const folder = scratch.fresh()
  const record = join(folder, 'calls')
  const commands = {
    ...{ date: '', chown: '', mount: '', findfs: 'echo /dev/vdb', fsfreeze: '', sync: '' },
    // What is above the folder of a test is not ours to open.
    chmod: '[ "$1" = o+x ] || exec /bin/chmod "$@"',
    ...answers
  }
  for (const [name, answer] of Object.entries(commands)) {
    const text = `#!/bin/sh\n{ printf '%s\\0' ${name} "$@"; printf '\\n\\0'; } >> '${record}'\n${answer}\n`
    writeFileSync(join(folder, name), text)
    chmodSync(join(folder, name), 0o755)
  }
  const calls = (): readonly string[][] =>
    existsSync(record)
      ? readFileSync(record, 'utf8')
          .split('\n\0')
          .filter(call => call !== '')
          .map(call => call.split('\0').slice(0, -1))
      : []
  return { path: `${folder}:/usr/bin:/bin`, calls }
}

/** A shell as a login gets it, which reads its commands from standard input. */
function shell(text: string, path = guestCommands().path, home = scratch.root): Ended {
  const { status, stdout, stderr } = spawnSync('sh', [], {
    input: text,
    encoding: 'utf8',
    env: { PATH: path, HOME: home }
  })
  return { status, stdout, stderr }
}

const noScript: ScriptRequest = { run: '', shell: 'sh', env: {}, workingDirectory: undefined }

function setup(changes: Partial<SetupRequest> = {}): SetupRequest {
  const folder = join(scratch.fresh(), 'run')
  return { folder, user: 'pi', clock: 1_700_000_000_499, script: undefined, mount: undefined, ...changes }
}

/** Lays a script down and starts it, as a run does. */
function runInGuest(script: Partial<ScriptRequest>, home = scratch.root): Ended {
  const request = setup({ script: { ...noScript, ...script } })
  const laid = shell(setupText(request))
  expect(laid).toMatchObject({ status: 0, stderr: '' })
  expect(kernelIn(laid.stdout)).toBe(release())
  return shell(startCommand(request.folder), '/usr/bin:/bin', home)
}

describe('a quoted word', () => {
  test.each(nasty)('%j reaches the shell as it is', text => {
    expect(shell(`printf %s ${shellQuote(text)}`)).toEqual({ status: 0, stdout: text, stderr: '' })
  })

  test('is one word', () => {
    expect(shell(`set -- ${nasty.map(shellQuote).join(' ')}; echo $#`).stdout).toBe(`${nasty.length}\n`)
  })
})

describe('the command of a shell', () => {
  test.each([
    ['bash', 'exec bash --noprofile --norc -eo pipefail /f'],
    ['sh', 'exec sh -e /f'],
    ['python', 'exec python3 /f'],
    ['python3', 'exec python3 /f'],
    ['perl {0}', 'exec perl /f'],
    ['env X={0} sh {0}', 'exec env X=/f sh /f'],
    ['bash -x', 'exec bash -x /f'],
    ['constructor', 'exec constructor /f']
  ])('%s: %s', (name, command) => {
    expect(shellCommand(name, '/f')).toBe(command)
  })

  test('is bash by default, and sh where there is none', () => {
    const { path } = guestCommands()
    const file = join(scratch.fresh(), 'script')
    writeFileSync(file, 'echo ${BASH_VERSION:+bash}\nfalse\necho not reached\n')
    expect(shell(shellCommand(undefined, file), path)).toMatchObject({ status: 1, stdout: 'bash\n' })
    // A guest that has nothing but sh.
    const bin = scratch.fresh()
    spawnSync('ln', ['-s', '/bin/sh', join(bin, 'sh')])
    writeFileSync(file, 'echo plain\nfalse\necho not reached\n')
    expect(shell(shellCommand(undefined, file), bin)).toMatchObject({ status: 1, stdout: 'plain\n' })
  })
})

describe('setting up', () => {
  test("sets the guest's clock to the host's, in UTC", () => {
    const { path, calls } = guestCommands()
    expect(shell(setupText(setup()), path).status).toBe(0)
    expect(calls()).toEqual([['date', '-u', '-s', '@1700000000.499']])
  })

  test("adds the user's keys to those that may log in, whatever options they have", () => {
    const [first, second] = [join(scratch.fresh(), 'authorized_keys'), join(scratch.fresh(), 'authorized_keys')]
    writeFileSync(first, "the run's key\n")
    const keys = [`command="echo 'it''s $HOME'" ssh-ed25519 AAAA me@work`, 'ssh-rsa AAAA %s']
    const { path } = guestCommands()
    const { status, stderr } = shell(setupText(setup({ authorized: { files: [first, second], keys } })), path)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(readFileSync(first, 'utf8')).toBe(`the run's key\n${keys.join('\n')}\n`)
    expect(readFileSync(second, 'utf8')).toBe(`${keys.join('\n')}\n`)
  })

  test('mounts the workspace by its label, at whatever path', () => {
    const place = join(scratch.fresh(), `it's a "$HOME" folder`)
    const { path, calls } = guestCommands()
    const { status, stderr } = shell(setupText(setup({ mount: { label: 'pi-workspace', path: place } })), path)
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
    expect(calls().filter(([name]) => name === 'findfs' || name === 'mount')).toEqual([
      ['findfs', 'LABEL=pi-workspace'],
      ['mount', '-t', 'ext4', '-o', 'noatime', '/dev/vdb', place]
    ])
    expect(existsSync(place)).toBe(true)
  })

  test('lets the user pass through every folder above the workspace, and opens none of them to be read', () => {
    const place = join(scratch.fresh(), `it's`, 'two words', 'here')
    const { path, calls } = guestCommands()
    expect(shell(setupText(setup({ mount: { label: 'pi-workspace', path: place } })), path).status).toBe(0)
    const opened = calls().filter(([name]) => name === 'chmod')
    const above = place.split('/').slice(1, -1)
    expect(opened.map(words => words.slice(1))).toEqual([
      ['o+x', ...above.map((_, depth) => `/${above.slice(0, depth + 1).join('/')}`)]
    ])
  })

  test('waits for a volume that appears late', () => {
    const counter = join(scratch.fresh(), 'tries')
    const findfs = `echo x >> '${counter}'; [ $(wc -l < '${counter}') -ge 3 ] && echo /dev/sda`
    const { path, calls } = guestCommands({ findfs, sleep: '' })
    const place = scratch.fresh()
    expect(shell(setupText(setup({ mount: { label: 'pi-workspace', path: place } })), path).status).toBe(0)
    expect(calls().at(-1)).toEqual(['mount', '-t', 'ext4', '-o', 'noatime', '/dev/sda', place])
  })

  test('gives a volume up that never appears, and says so', () => {
    const { path, calls } = guestCommands({ findfs: 'exit 1', sleep: '' })
    const ended = shell(setupText(setup({ mount: { label: 'pi-workspace', path: scratch.fresh() } })), path)
    expect(ended).toMatchObject({ status: 1, stderr: 'no volume pi-workspace\n' })
    expect(calls().some(([name]) => name === 'mount')).toBe(false)
  })

  test('stops at the first step that fails', () => {
    const { path, calls } = guestCommands({ mount: 'echo "mount: wrong fs type" >&2; exit 32' })
    const request = setup({ mount: { label: 'pi-workspace', path: scratch.fresh() }, script: noScript })
    expect(shell(setupText(request), path)).toMatchObject({ status: 32, stderr: 'mount: wrong fs type\n' })
    expect(calls().some(([name]) => name === 'chown')).toBe(false)
  })

  test('tells a working directory that is not there by a status of its own', () => {
    const request = setup({ script: { ...noScript, workingDirectory: join(scratch.root, `no'where`) } })
    expect(shell(setupText(request)).status).toBe(noSuchDirectory)
  })

  test('keeps the script from everybody but its user: the environment may hold secrets', () => {
    const { path, calls } = guestCommands()
    const request = setup({ script: { ...noScript, env: { TOKEN: 'hunter2' } } })
    expect(shell(setupText(request), path).status).toBe(0)
    expect(statSync(request.folder).mode & 0o777).toBe(0o700)
    expect(calls()).toContainEqual(['chown', '-R', 'pi', request.folder])
  })

  test('can be done twice', () => {
    const text = setupText(setup({ script: noScript }))
    expect([shell(text).status, shell(text).status]).toEqual([0, 0])
  })
})

describe('the script', () => {
  test.each(nasty)('gets the environment value %j as it is', value => {
    expect(runInGuest({ run: 'printf %s "$VALUE"', env: { VALUE: value } })).toEqual({
      status: 0,
      stdout: value,
      stderr: ''
    })
  })

  test('gets all variables, and those whose names begin alike', () => {
    const { stdout } = runInGuest({ run: 'echo "$A,$AB,$_A1"', env: { A: '1', AB: '$A', _A1: '3' } })
    expect(stdout).toBe('1,$A,3\n')
  })

  test.each([
    '',
    'exit 3',
    'printf "%s\\n" \'a\' "b" $((1+1)) `echo c`',
    `cat <<'E'\n$not 'expanded'\\\nE\n`,
    '# only\n# words'
  ])('%j is laid down to the letter', text => {
    const request = setup({ script: { ...noScript, run: text } })
    expect(shell(setupText(request)).status).toBe(0)
    expect(readFileSync(join(request.folder, 'script'), 'utf8')).toBe(text)
  })

  test('of a size that no command line could hold is laid down, too', () => {
    const text = `: '${'x'.repeat(400_000)}'\necho done\n`
    expect(runInGuest({ run: text }).stdout).toBe('done\n')
  })

  test.each([0, 1, 83, 255])('ends with its own status %d', status => {
    expect(runInGuest({ run: `exit ${status}` }).status).toBe(status)
  })

  test('starts in the working directory, whatever it is called', () => {
    const directory = join(scratch.fresh(), `it's $HOME "here"`)
    mkdirSync(directory)
    expect(runInGuest({ run: 'pwd', workingDirectory: directory }).stdout).toBe(`${directory}\n`)
  })

  test('does not start at all when its working directory is gone by then', () => {
    const directory = scratch.fresh()
    const request = setup({ script: { ...noScript, run: 'echo started', workingDirectory: directory } })
    expect(shell(setupText(request)).status).toBe(0)
    rmdirSync(directory)
    const { status, stdout } = shell(startCommand(request.folder))
    expect([status === 0, stdout]).toEqual([false, ''])
  })

  test("starts in the user's home without one", () => {
    const home = scratch.fresh()
    expect(runInGuest({ run: 'pwd' }, home).stdout).toBe(`${home}\n`)
  })

  test('has a standard input of its own, from which nothing of ours can be read', () => {
    expect(runInGuest({ run: 'cat; echo end' }).stdout).toBe('end\n')
  })
})

describe('stopping', () => {
  test('ends the script and all that it started, even what does not listen', async () => {
    const request = setup({
      script: { ...noScript, run: `trap '' TERM\nsh -c "trap '' TERM; sleep 60 & wait" &\nsleep 61 &\nwait\nwait\n` }
    })
    shell(setupText(request))
    const started = spawn('sh', ['-c', startCommand(request.folder)], { stdio: 'ignore', detached: true })
    const bystander = spawn('sleep', ['60'], { stdio: 'ignore', detached: true })
    try {
      const tree = (await descendants(started.pid ?? 0, 4)).flatMap(pid => identify(pid) ?? [])
      expect(tree.length).toBeGreaterThanOrEqual(4)
      expect(readFileSync(join(request.folder, 'pid'), 'utf8')).toBe(`${started.pid ?? ''}\n`)
      expect(shell(stopText(request.folder), guestCommands({ sleep: '' }).path).status).toBe(0)
      expect(await waitForEnd(tree, 5000)).toEqual([])
      expect(identify(bystander.pid ?? 0)).toBeDefined()
    } finally {
      spawnSync('kill', ['-KILL', '--', `-${started.pid ?? ''}`, `-${bystander.pid ?? ''}`])
    }
  })

  test('a script that was never laid down, or has not started yet, is no fault', () => {
    const { folder } = setup()
    expect(shell(stopText(folder)).status).toBe(0)
    mkdirSync(folder)
    writeFileSync(join(folder, 'pid'), '')
    expect(shell(stopText(folder)).status).toBe(0)
  })
})

/** A process and all that it started, once there are so many. */
async function descendants(pid: number, count: number): Promise<readonly number[]> {
  const below = (parent: number): readonly number[] => [
    parent,
    ...readFileSync(`/proc/${parent}/task/${parent}/children`, 'utf8')
      .split(' ')
      .filter(Boolean)
      .flatMap(child => below(Number(child)))
  ]
  for (let tries = 0; tries < 200; tries++) {
    const found = below(pid)
    if (found.length >= count) return found
    await sleep(25)
  }
  throw new Error(`only ${below(pid).length} processes appeared`)
}

test('a shared folder is mounted by its tag, whether or not its driver is a module', () => {
  const { path, calls } = guestCommands({ modprobe: 'exit 1' })
  const place = join(scratch.fresh(), 'work')
  const mount = { label: 'pi-workspace', path: place, shared: true }
  expect(shell(setupText(setup({ mount })), path).status).toBe(0)
  expect(calls().filter(([name]) => name === 'findfs' || name === 'mount')).toEqual([
    ['mount', '-t', '9p', '-o', 'trans=virtio,version=9p2000.L,msize=524288,cache=none', 'pi-workspace', place]
  ])
})

test('thawing can take a folder away', () => {
  const place = scratch.fresh()
  const folder = join(place, "it's old")
  mkdirSync(folder)
  expect(shell(thawText(place, folder)).status).toBe(0)
  expect([existsSync(folder), existsSync(place)]).toEqual([false, true])
})

test('freezing and thawing name the path as one word', () => {
  const { path, calls } = guestCommands()
  const place = `/it's "$HOME"`
  expect(shell(`${freezeText(place)} && ${thawText(place)}`, path).status).toBe(0)
  expect(calls()).toEqual([
    ['fsfreeze', '--freeze', place],
    ['fsfreeze', '--unfreeze', place]
  ])
})

test.each([
  [undefined, '/work', '/work'],
  [undefined, undefined, undefined],
  ['sub/dir', '/work', '/work/sub/dir'],
  ['./sub/../x', '/work', '/work/x'],
  ['/opt/../etc', '/work', '/etc'],
  ['/opt', undefined, '/opt'],
  ['sub', undefined, '/home/pi/sub']
])('the working directory %s in the workspace %s is %s', (directory, workspace, expected) => {
  expect(guestDirectory(directory, { workspace, home: '/home/pi' })).toBe(expected)
})

test("a run's files in the guest are in memory", () => {
  expect(guestFolder('run-0123456789ab')).toBe('/run/pi-qemu/run-0123456789ab')
})
