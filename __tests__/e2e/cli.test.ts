import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli } from '../kit/cli'
import { difference, hostState, unchanged } from '../kit/host-state'
import { run } from '../kit/run'
import { repository, sharedHome } from '../kit/runner'

jest.setTimeout(300_000)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-cli-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const look = (): ReturnType<typeof hostState> => hostState({ roots: [join(sharedHome, 'runs')] })
const npmStart = (args: readonly string[]): Promise<string> =>
  run('npm', ['start', '--silent', ...(args.length > 0 ? ['--', ...args] : [])], {
    cwd: repository,
    env: { PI_QEMU_HOME: sharedHome }
  })

test('npm start boots a Pi 3 and shows what it is', async () => {
  const said = await npmStart([])
  expect(said).toMatch(/^This is a Raspberry Pi 3 Model B$/m)
  expect(said).toMatch(/^Linux \S+ .* aarch64/m)
})

test("npm start -- --run '…' runs that instead, with its status", async () => {
  await expect(npmStart(['--board', 'virt', '--run', 'exit 7'])).rejects.toThrow(/ended with 7/)
})

test("stdout and stderr are the script's, to the byte; the command's words arrive as they are", async () => {
  const { code, stdout, stderr } = await cli([
    'run',
    '--board',
    'virt',
    '--sync',
    'none',
    '--',
    'sh',
    '-c',
    'printf "%s|" "$@"; echo oops >&2; exit 3',
    'sh',
    'a b',
    "it's",
    '$HOME',
    ''
  ])
  expect([code, stdout]).toEqual([3, "a b|it's|$HOME||"])
  expect(stderr).toMatch(/^oops$/m)
  expect(stderr).toContain('ended with status 3')
})

test('a wrong request is status 125, with every fault named, and nothing is started', async () => {
  const before = await look()
  const { code, stdout, stderr } = await cli(['run', '--board', 'raspi9', '--run-timeout', 'soon', '--run', 'true'])
  expect([code, stdout]).toEqual([125, ''])
  expect(stderr).toMatch(/2 inputs are wrong/)
  expect((await cli(['run', '--bord', 'virt'])).stderr).toMatch(
    /flag `--bord` does not exist; valid: --mode, --image, /
  )
  expect((await cli(['fly'])).stderr).toMatch(/no command `fly`; valid: run, shell/)
  expect(difference(before, await look())).toEqual(unchanged)
})

test('a time limit is status 124', async () => {
  const { code, stderr } = await cli([
    'run',
    '--board',
    'virt',
    '--sync',
    'none',
    '--run-timeout',
    '2s',
    '--',
    'sleep',
    '100'
  ])
  expect([code, stderr]).toEqual([124, expect.stringContaining('ran longer than --run-timeout')])
})

test('Ctrl-C tears down', async () => {
  const before = await look()
  let sent = false
  const { code } = await cli(['run', '--board', 'virt', '--sync', 'none', '--snapshot', 'off', '--', 'sleep', '100'], {
    onStderr: (text, pid) => {
      if (sent || !text.includes('> Run the script')) return
      sent = true
      process.kill(pid, 'SIGINT')
    }
  })
  expect(code).toBe(130)
  expect(difference(before, await look())).toEqual(unchanged)
})

test('--keep-running leaves the Pi up; clean leaves it alone; stop ends it', async () => {
  const before = await look()
  const { code, stderr } = await cli(['run', '--board', 'virt', '--sync', 'none', '--keep-running', '--run', 'true'])
  expect(code).toBe(0)
  const config = /ssh -F (\S+) pi/.exec(stderr)?.[1] ?? ''
  expect((await cli(['clean'])).stderr).toMatch(/1 alive and left alone/)
  expect(await run('ssh', ['-F', config, 'pi', 'uname -m'])).toBe('aarch64\n')
  expect((await cli(['stop'])).stderr).toMatch(/1 switched off/)
  expect(difference(before, await look())).toEqual(unchanged)
})

test('clean tears down what a killed run left', async () => {
  const before = await look()
  await cli(['run', '--board', 'virt', '--sync', 'none', '--snapshot', 'off', '--', 'sleep', '100'], {
    onStderr: (text, pid) => {
      if (text.includes('> Boot Mini')) process.kill(pid, 'SIGKILL')
    }
  })
  expect(difference(before, await look()).added.some(line => line.includes('qemu-system'))).toBe(true)
  expect((await cli(['clean'])).code).toBe(0)
  expect(difference(before, await look())).toEqual(unchanged)
})

test('shell: an interactive session on a terminal, with its status', async () => {
  const said = await run(
    'sh',
    [
      '-c',
      '(sleep 1; while ! grep -q "Set up the guest" said 2>/dev/null; do sleep 0.2; done; sleep 3; echo "uname -m; tty; exit 5") | script -qefc "$0 $1 shell --board virt --sync none --snapshot off" said; echo "status=$?"',
      process.execPath,
      join(repository, 'dist/cli/index.js')
    ],
    {
      cwd: folder,
      env: { PI_QEMU_HOME: sharedHome }
    }
  )
  expect(said).toContain('aarch64')
  expect(said).toMatch(/\/dev\/pts\/\d/)
  expect(said).toContain('status=5')
})

test('doctor, boards and images say what there is', async () => {
  const doctor = await cli(['doctor'])
  expect(doctor.code).toBe(0)
  expect(doctor.stdout).toMatch(/^ok {6}qemu-system-aarch64: QEMU emulator version/m)
  expect(doctor.stdout).toMatch(/^ok {6}board raspi3b/m)
  expect((await cli(['boards'])).stdout).toMatch(/^raspi3b +Raspberry Pi 3 Model B/m)
  expect((await cli(['images'])).stdout).toMatch(/^mini-arm64/m)
})

test('clean --cache drops what was prepared, and only that', async () => {
  const home = join(folder, 'home')
  expect((await cli(['run', '--board', 'virt', '--sync', 'none', '--', 'true'], { home })).code).toBe(0)
  expect(await readdir(join(home, 'images'))).toHaveLength(1)
  await cli(['clean', '--cache'], { home })
  expect((await readdir(home)).sort()).toEqual(['logs', 'runs'])
})
