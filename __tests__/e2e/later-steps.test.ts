import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { difference, hostState, unchanged } from '../kit/host-state'
import { RunnerJob } from '../kit/runner'
import { shellStep, startShellStep } from '../kit/shell-step'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(1_800_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const inPi = (run: string, shell = 'pi {0}', more = {}): Promise<StepResult> => shellStep(job, { run, shell, ...more })
const onHost = (run: string): Promise<StepResult> => shellStep(job, { run })

/** A Pi that stays up while `work` is done, and after its post nothing of it is left. */
async function withPi(
  inputs: Readonly<Record<string, string>>,
  work: (main: StepResult) => Promise<void>
): Promise<void> {
  const before = await hostState({ roots: [] })
  const step = job.step({ image: 'mini-arm64', 'keep-running': 'true', ...inputs })
  try {
    const main = await step.main()
    expect([main.code, main.outputs['outcome']]).toEqual([0, 'success'])
    await work(main)
  } finally {
    expect((await step.post()).code).toBe(0)
  }
  expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
}

test.each([
  ['virt', /the emulated board has no display/],
  ['raspi3b', /211 +P +N +G/]
])('three steps and a reboot in one Pi (%s)', async (board, picture) => {
  await writeFile(join(job.workspace, 'given'), 'from the host\n')
  await withPi(
    { board, run: 'cat /proc/sys/kernel/random/boot_id > boot; nproc > cpus; echo "FIRST=1" >> "$GITHUB_ENV"' },
    async () => {
      const first = await inPi(`
uname -m; id -un; pwd; cat given; echo "first: $FIRST"
echo kept > /var/kept; echo in-workspace > made
mkdir -p tools; printf '#!/bin/sh\\necho tool\\n' > tools/tool; chmod +x tools/tool
echo "answer=42" >> "$GITHUB_OUTPUT"
printf 'LINES<<END\\none\\ntwo\\nEND\\n' >> "$GITHUB_ENV"
echo "$GITHUB_WORKSPACE/tools" >> "$GITHUB_PATH"
echo '### From a later step' >> "$GITHUB_STEP_SUMMARY"
echo "::error file=a.c,line=3::from the Pi"
`)
      expect([first.code, first.stdout.split('\n').slice(0, 5)]).toEqual([
        0,
        ['aarch64', 'root', job.workspace, 'from the host', 'first: 1']
      ])
      expect([first.outputs, first.env]).toEqual([{ answer: '42' }, { LINES: 'one\ntwo' }])
      expect(first.summary).toContain('### From a later step')
      expect(first.commands).toContainEqual(
        expect.objectContaining({ name: 'error', properties: { file: 'a.c', line: '3' }, message: 'from the Pi' })
      )
      // What one step told is there in the next, in the Pi and on the host.
      const second = await inPi('echo "$LINES"; tool; cat /var/kept; exit 7')
      expect([second.code, second.stdout]).toEqual([7, 'one\ntwo\ntool\nkept\n'])

      const rebooted = await onHost('pi reboot')
      expect([rebooted.code, rebooted.stderr]).toEqual([0, expect.stringMatching(/Ready again after [\d.]+ s/)])
      const third = await inPi(`
cat /var/kept given
[ "$(cat boot)" = "$(cat /proc/sys/kernel/random/boot_id)" ] || echo another boot
[ $(($(date +%s) / 1000)) -eq ${Math.floor(Date.now() / 1_000_000)} ] && echo same time
[ "$(nproc)" = "$(cat cpus)" ] && echo same CPUs
`)
      expect([third.code, third.stdout]).toEqual([0, 'kept\nfrom the host\nanother boot\nsame time\nsame CPUs\n'])
      const taken = await onHost('pi screenshot screen.png; head -c 8 screen.png | od -An -c')
      expect(taken.stdout + taken.stderr).toMatch(picture)
    }
  )
})

test('the workspace goes in and out as it is told, and nothing of either side is lost', async () => {
  const at = (name: string): string => join(job.workspace, name)
  await mkdir(at('src'))
  for (const name of ['same', 'changed', 'gone', 'guests', 'src/deep']) await writeFile(at(name), `${name}\n`)
  await writeFile(at('.gitignore'), '*.o\n')
  await writeFile(at('host.o'), 'object\n')
  await withPi({ board: 'virt', 'sync-gitignore': 'true', run: 'echo made > by-script' }, async () => {
    await writeFile(at('changed'), 'changed on the host\n')
    await writeFile(at('src/new -name'), 'new\n')
    await writeFile(at('-dash'), 'dash\n')
    await chmod(at('same'), 0o755)
    await rm(at('gone'))
    await rm(at('guests'))
    await rm(at('src/deep'))
    await inPi('echo changed in the guest > guests; echo more > by-guest; rm by-script')
    const into = await onHost('pi sync in')
    expect([into.code, into.stderr]).toEqual([
      0,
      expect.stringContaining('guests is gone on the host, but changed in the guest meanwhile: kept')
    ])
    const seen = await inPi('cat changed "src/new -name" ./-dash by-guest guests; ls -A . src; stat -c %a same')
    expect([seen.code, seen.stdout]).toEqual([
      0,
      [
        ...['changed on the host', 'new', 'dash', 'more', 'changed in the guest', '.:', '-dash', '.gitignore'],
        ...['by-guest', 'changed', 'guests', 'same', 'src', '', 'src:', 'new -name', '755', '']
      ].join('\n')
    ])

    await inPi('echo from the guest > changed')
    await writeFile(at('same'), 'the host goes on\n')
    const out = await onHost('pi sync out')
    expect([out.code, out.stderr]).toEqual([0, expect.stringMatching(/same changed on the host .*: kept/)])
    expect((await readdir(job.workspace)).sort()).toEqual(
      ['-dash', '.gitignore', 'by-guest', 'changed', 'guests', 'host.o', 'same', 'src'].sort()
    )
    expect(await readFile(at('changed'), 'utf8')).toBe('from the guest\n')
    expect(await readFile(at('same'), 'utf8')).toBe('the host goes on\n')
    // What was kept then goes in now.
    await onHost('pi sync in')
    expect((await inPi('cat same')).stdout).toBe('the host goes on\n')
  })
})

test('files go in and out by themselves, as the user or, where only root may, as root', async () => {
  await withPi({ board: 'virt', image: 'debian-arm64:bookworm', sync: 'none' }, async () => {
    await mkdir(join(job.workspace, 'folder'))
    await writeFile(join(job.workspace, 'folder/one'), '1\n')
    await writeFile(join(job.workspace, 'run me'), '#!/bin/sh\necho ran\n', { mode: 0o755 })
    const moved = await onHost(`
pi put "run me" folder .
pi put "run me" /usr/local/bin/run-me
pi run -- sh -c 'ls -d folder/one "run me"; stat -c %U:%a "run me" /usr/local/bin/run-me; run-me'
pi run -- sudo sh -c 'echo secret > /root/file; chmod 600 /root/file'
pi get /root/file folder .
cat file folder/one
echo from stdin | pi run -- cat
mkdir there; pi get /etc/hostname there; ls there
`)
    expect([moved.code, moved.stderr]).toEqual([125, expect.stringContaining('folder exists already')])
    expect(moved.stdout).toBe(['folder/one', 'run me', 'pi:755', 'root:755', 'ran', ''].join('\n'))
    const rest = await onHost(`
rm -r folder
pi get folder .
cat file folder/one
echo from stdin | pi run -- cat
mkdir there; pi get /etc/hostname there; ls there
stat -c %U file
`)
    expect([rest.code, rest.stdout]).toEqual([0, 'secret\n1\nfrom stdin\nhostname\nroot\n'])
    const missing = await onHost('pi get /no/such/file .')
    expect([missing.code, missing.stderr]).toEqual([125, expect.stringContaining('there is no /no/such/file')])
  })
})

test('two Pis in one job reach each other by the ports of the host', async () => {
  const port = 20_000 + (process.pid % 10_000)
  await withPi({ board: 'virt', sync: 'none', name: 'server', ports: `${port}:8080` }, async () => {
    const client = job.step({ board: 'virt', sync: 'none', name: 'client', 'keep-running': 'true' })
    try {
      expect((await client.main()).code).toBe(0)
      await inPi(
        'mkdir /srv/www; echo hello from the server > /srv/www/index.html; httpd -p 8080 -h /srv/www',
        'server {0}'
      )
      const fetched = await inPi(`wget -q -O - http://10.0.2.2:${port}/index.html`, 'client {0}')
      expect([fetched.code, fetched.stdout]).toEqual([0, 'hello from the server\n'])
      const again = await job.step({ name: 'client', 'keep-running': 'true', board: 'virt' }).main()
      expect([again.outputs['outcome'], again.log]).toEqual([
        'bad-input',
        expect.stringContaining('input `name` is “client”, and a Pi of that name is up already')
      ])
    } finally {
      await client.post()
    }
  })
})

test('a step that is cancelled ends its script in the Pi; log, shells, variables and stop', async () => {
  await withPi({ board: 'virt', sync: 'none', env: 'GIVEN=at boot' }, async () => {
    const running = await startShellStep(job, { run: 'echo script runs; sleep 1000', shell: 'pi {0}' })
    await running.waitForLog(/^script runs$/m, 60_000)
    running.kill('SIGINT')
    const ended = await running.done
    expect(ended.code).toBe(130)
    const seen = await inPi(
      'ps | grep "[s]leep 1000" || echo none left; echo "$GIVEN $PASSED $OTHER"',
      'pi --env PASSED --env OTHER=here {0}',
      {
        env: { PASSED: 'passed' }
      }
    )
    expect(seen.stdout).toBe('none left\nat boot passed here\n')
    const other = await inPi('print me', 'pi --shell cat {0}')
    expect(other.stdout).toBe('print me')
    const log = await onHost('pi run -- sh -c "echo on the console > /dev/console"; pi log | grep "on the console"')
    expect(log.stdout).toMatch(/^on the console\r?\n$/)
    const wrong = await onHost('pi nonsense')
    expect([wrong.code, wrong.stderr]).toEqual([
      125,
      expect.stringContaining('“nonsense” is neither a file nor a command')
    ])
    expect((await onHost('pi stop')).code).toBe(0)
    const gone = await onHost('pi run -- true')
    expect(gone.code).toBe(127)
  })
})

test('a Pi whose QEMU has ended is said to be gone', async () => {
  await withPi({ board: 'virt', sync: 'none' }, async main => {
    await inPi('poweroff')
    for (const end = Date.now() + 30_000; Date.now() < end;) {
      const { code, stderr } = await onHost('pi run -- true')
      if (!/is not up any more/.test(stderr)) continue
      expect(code).toBe(125)
      expect(stderr).toContain('Cause: it was switched off')
      break
    }
    expect((await stat(main.outputs['serial-log'] ?? '')).size).toBeGreaterThan(0)
  })
})
