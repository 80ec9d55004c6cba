import { chown, mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Ext4 } from '../../src/images/ext4'
import { inspectDisk } from '../../src/images/partitions'
import { cli, type CliResult } from '../kit/cli'
import { withOldKernel, withoutUserNamespaces } from '../kit/denied'
import { difference, hostState, unchanged, type HostState } from '../kit/host-state'
import { lookAlike } from '../kit/look-alikes'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { RunnerJob, sharedHome } from '../kit/runner'

// The first Debian image, or look-alike, of a machine takes minutes to build.
jest.setTimeout(1_800_000)

let workspace: string
let before: HostState
const look = (): Promise<HostState> => hostState({ roots: [join(sharedHome, 'runs')] })

beforeEach(async () => {
  for (const folder of ['runs', 'logs']) await mkdir(join(sharedHome, folder), { recursive: true })
  workspace = await mkdtemp(join(tmpdir(), 'pi-qemu-test-rootfs-'))
  before = await look()
})
afterEach(async () => {
  await rm(workspace, { recursive: true, force: true })
  expect(difference(before, await look())).toEqual(unchanged)
})

type Inputs = Readonly<Record<string, string>>

/** `pi-qemu run --mode user` in the workspace. */
function userMode(
  inputs: Inputs,
  under: readonly string[] = [],
  env: Readonly<Record<string, string>> = {}
): Promise<CliResult> {
  const flags = Object.entries({ mode: 'user', ...inputs }).map(([name, value]) => `--${name}=${value}`)
  return cli(['run', ...flags], { cwd: workspace, under, env: { PI_QEMU_HOME: sharedHome, ...env } })
}

/** Does what people do: packages, a compiler, Python, sudo, threads, signals, many processes, and leaves one behind. */
const everything = `
set -e
. /etc/os-release
echo "$VERSION_CODENAME $(dpkg --print-architecture) $(uname -m) $(id -un), sudo: $(sudo id -un)"
cat > work.c <<'END'
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile sig_atomic_t seen;
static void note(int signal) { seen = signal; }
static void *count(void *sum) { __atomic_add_fetch((int *)sum, 1, __ATOMIC_SEQ_CST); return 0; }
int main(void) {
  pthread_t threads[8];
  int sum = 0;
  for (int i = 0; i < 8; i++) pthread_create(&threads[i], 0, count, &sum);
  for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
  signal(SIGALRM, note);
  alarm(1);
  pause();
  printf("threads %d, signal %d\\n", sum, seen);
}
END
bash -c 'exec -a another sh -c "echo \\$0"'
gcc -O1 -pthread work.c -o work
./work
python3 -c 'import sys; print("python", sys.version_info[0], sum(range(1000)))'
i=0; while [ $i -lt 300 ]; do /bin/true; i=$((i + 1)); done; echo "forks $i"
sleep 1000 &
`
const prepare = 'apt-get -q update && apt-get -q -y install --no-install-recommends gcc libc6-dev python3-minimal'

/**
 * Debian images take minutes to build, once per machine and month. By default one is tried; PI_QEMU_TEST_DEBIAN=all adds
 * the others.
 */
const images: readonly (readonly [image: string, said: string, cpu: string, more: Inputs])[] = [
  ['debian-arm64:bookworm', 'bookworm arm64 aarch64', 'cortex-a72', {}],
  ['debian-armhf:bookworm', 'bookworm armhf armv7l', 'cortex-a7', {}],
  ['debian-armel:bookworm', 'bookworm armel armv6l', 'arm1176', { platforms: 'linux/arm/v6' }],
  ['debian-arm64:trixie', 'trixie arm64 aarch64', 'cortex-a72', {}],
  ['debian-armhf:trixie', 'trixie armhf armv7l', 'cortex-a7', {}]
]
const tried = process.env['PI_QEMU_TEST_DEBIAN'] === 'all' ? images : images.slice(0, 1)

test.each(tried)('%s: packages, a compiler, threads, signals, sudo, 300 processes', async (image, said, cpu, more) => {
  const { code, stdout, stderr } = await userMode({ image, prepare, run: everything, ...more })
  expect([code, stderr]).toEqual([0, expect.stringMatching(new RegExp(`the host's, as an? ${cpu}`))])
  expect(stdout.split('\n').slice(0, 5)).toEqual([
    `${said} pi, sudo: root`,
    'another',
    'threads 8, signal 14',
    'python 3 499500',
    'forks 300'
  ])
  // What it made is the owner's of the folder.
  expect((await stat(join(workspace, 'work'))).uid).toBe(process.getuid?.())
  const again = await userMode({ image, prepare, run: './work', ...more })
  expect([again.code, again.stdout]).toEqual([0, 'threads 8, signal 14\n'])
  expect(again.stderr).toContain('From a cache: prepared')
})

describe('an image of Raspberry Pi OS', () => {
  test('whose preloaded library is for a Pi alone works', async () => {
    const image = join(workspace, 'look-alike.img')
    await run('cp', ['--sparse=always', '--reflink=auto', await lookAlike('bookworm'), image])
    const { root } = await inspectDisk(image)
    const content = '/usr/lib/arm-linux-gnueabihf/libarmmem-${PLATFORM}.so\n'
    await new Ext4(image, root.offset).apply(
      [{ kind: 'file', path: '/etc/ld.so.preload', content, mode: 0o644 }],
      workspace
    )
    const script =
      '. /etc/os-release; echo $VERSION_CODENAME; hostname; id -un; sudo id -un; cat /etc/rpi-issue | head -n 1'
    const { code, stdout, stderr } = await userMode({ image, sync: 'none', cache: 'off', run: script })
    expect([code, stderr]).toEqual([0, expect.not.stringContaining('cannot be preloaded')])
    expect(stdout.split('\n').slice(0, 4)).toEqual(['bookworm', 'raspberrypi', 'pi', 'root'])
  })
})

describe('a small image', () => {
  const image = 'mini-arm64'

  test('is ready for the first command within seconds, and its exit codes are true', async () => {
    await userMode({ image, sync: 'none', run: 'true' })
    const { code, stdout, seconds } = await userMode({ image, sync: 'none', run: 'echo here; exit 7' })
    expect([code, stdout]).toEqual([7, 'here\n'])
    process.stderr.write(`a run in user mode: ${seconds.toFixed(2)} s\n`)
    const killed = await userMode({ image, sync: 'none', run: 'kill -SEGV $$' })
    expect([killed.code, killed.stderr]).toEqual([139, expect.stringContaining('was killed by SIGSEGV')])
  })

  test('past its time the script is told, and ended with all that it started', async () => {
    const script = 'trap "echo told; exit 0" TERM; sleep 1000 & (trap "" TERM; sleep 1000) & wait'
    const { code, stdout } = await userMode({ image, sync: 'none', run: script, 'run-timeout': '1s' })
    expect([code, stdout]).toEqual([124, 'told\n'])
  })

  test('the CPU reaches every program by itself', async () => {
    const script = [
      'env | grep QEMU || true',
      'env -i /bin/sh -c "grep -c . /proc/cpuinfo >/dev/null; echo no environment"'
    ].join('\n')
    const { stdout, stderr } = await userMode({ image, sync: 'none', run: script, shell: 'sh' })
    expect(stdout).toBe('no environment\n')
    expect(stderr).toContain('as a cortex-a72')
    // A model that does not exist ends every program: here it comes from the environment, which is still obeyed.
    const wrong = await userMode({ image, sync: 'none', run: 'env QEMU_CPU=nonsense /bin/sh -c true', shell: 'sh' })
    expect(wrong.stderr).toContain("unable to find CPU model 'nonsense'")
  })

  test('files go in, files come out, and what the script changes in the workspace stays as `sync` says', async () => {
    await writeFile(join(workspace, 'file'), 'mine\n')
    const out = { files: `${join(workspace, 'file')}:/opt/in:0640`, 'copy-out': '/opt/*' }
    const both = await userMode({ image, run: 'stat -c %a%u /opt/in; cat /opt/in > /opt/out; echo b > both', ...out })
    expect([both.code, both.stdout]).toEqual([0, '6400\n'])
    expect(await readFile(join(workspace, 'copy-out/opt/out'), 'utf8')).toBe('mine\n')
    expect(await readFile(join(workspace, 'both'), 'utf8')).toBe('b\n')
    await rm(join(workspace, 'copy-out'), { recursive: true })

    const script = 'ls; cat file; echo changed > file; cat file; echo n > new'
    const inOnly = await userMode({ image, sync: 'in', run: script })
    expect(inOnly.stdout).toBe('both\nfile\nmine\nchanged\n')
    expect(await readFile(join(workspace, 'file'), 'utf8')).toBe('mine\n')

    const outOnly = await userMode({ image, sync: 'out', run: 'ls; mkdir made; echo o > made/out' })
    expect(outOnly.stdout).toBe('')
    expect(await readFile(join(workspace, 'made/out'), 'utf8')).toBe('o\n')
    expect(await readFile(join(workspace, 'file'), 'utf8')).toBe('mine\n')
  })

  test('the changed disk is saved without what is not its own', async () => {
    const target = join(workspace, 'saved.img')
    const { code, stderr } = await userMode({ image, sync: 'none', run: 'echo kept > /etc/kept', 'save-image': target })
    expect([code, stderr]).toEqual([0, expect.stringContaining(`Saved ${target}`)])
    const { root } = await inspectDisk(target)
    const saved = new Ext4(target, root.offset)
    expect(await saved.readText('/etc/kept')).toBe('kept\n')
    const own = ['/usr/sbin/policy-rc.d', '/run/pi-qemu', '/dev/null', '/root/.ssh/authorized_keys']
    expect(await saved.existing(own)).toEqual(new Set())
  })
})

describe('an image that means harm', () => {
  const image = 'mini-arm64'

  test('leads root to no file of the host, neither by its links nor by those of its script', async () => {
    const own = join(workspace, 'own')
    await mkdir(own)
    await writeFile(join(own, 'policy-rc.d'), '#!/bin/sh\nexit 101\n')
    const target = join(workspace, 'harmful.img')
    const script = `rm -rf /run/lock; mv /usr/sbin /usr/sbin.own; ln -s ${own} /usr/sbin; ls /usr/sbin/ || echo not here`
    const { code, stdout } = await userMode({ image, sync: 'none', run: script, 'save-image': target })
    expect([code, stdout]).toEqual([0, 'not here\n'])
    await rm(join(own, 'policy-rc.d'), { force: false })

    const again = await userMode({ image: target, sync: 'none', cache: 'off', run: 'echo works' })
    expect([again.code, again.stdout]).toEqual([0, 'works\n'])
    expect(await readdir(own)).toEqual([])
  })
})

describe('a host', () => {
  const image = 'mini-arm64'
  const inside = 'read -r a b c < /proc/self/uid_map; echo $a $b $c; uname -m'

  test.each([
    ['whose kernel is too old for handlers of one’s own', withOldKernel, /the kernel 2\.6\.\S+ is older than 6\.7/],
    ['that forbids user namespaces', withoutUserNamespaces, /Operation not permitted/]
  ] as const)('%s gets handlers for the time of the run, and is told so', async (_, under, why) => {
    const { code, stdout, stderr } = await userMode({ image, sync: 'none', run: inside }, under)
    expect([code, stdout, stderr]).toEqual([0, '0 0 4294967295\naarch64\n', expect.stringMatching(why)])
    expect(stderr).toMatch(
      /warning: No namespace with users and handlers of its own .* registered on this host until the run ends/
    )
  })

  test('whose disk is full lets the script fail, and nothing is left', async () => {
    const home = join(workspace, 'home')
    await mkdir(home)
    await run('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'small', home])
    for (const name of ['images', 'sources', 'tools', 'emulators'])
      await symlink(join(sharedHome, name), join(home, name))
    try {
      const full = await userMode({ image, sync: 'none', run: 'head -c 90000000 /dev/zero > /big' }, [], {
        PI_QEMU_HOME: home
      })
      expect([full.code, full.stderr]).toEqual([1, expect.stringMatching(/I\/O error|No space left on device/)])
    } finally {
      await run('umount', [home])
    }
  })
})

describe('faults', () => {
  test('are told of the image, the folder and the user before the script', async () => {
    const image = join(workspace, 'no-shell.img')
    await run('cp', ['--sparse=always', await miniImage(), image])
    const { root } = await inspectDisk(image)
    const files = new Ext4(image, root.offset)
    await files.apply([{ kind: 'remove', path: await files.withoutLinks('/bin/sh') }], workspace)
    const noShell = await userMode({ image, sync: 'none', cache: 'off', run: 'true' })
    expect([noShell.code, noShell.stderr]).toEqual([
      125,
      expect.stringMatching(/no script runs in this root file system: \/bin\/sh: No such file/)
    ])
    const folder = await userMode({ 'working-directory': '/nowhere', run: 'true' })
    expect([folder.code, folder.stderr]).toEqual([125, expect.stringContaining('`working-directory` names /nowhere')])
    const platform = await userMode({ platforms: 'linux/riscv64', run: 'true' })
    expect(platform.stderr).toContain(
      'input `platforms` is “linux/riscv64”, but the image has programs of arm64; valid: linux/arm64'
    )
  })
})

describe('the action', () => {
  test('gives the workspace to its owner, whoever wrote in it, and says in its summary what user mode is not', async () => {
    const job = await RunnerJob.create()
    try {
      await chown(job.workspace, 1234, 1234)
      const step = job.step({
        mode: 'user',
        image: 'debian-arm64:bookworm',
        run: 'id -u; touch mine; sudo touch roots; stat -c %U .'
      })
      const { code, stdout, summary, outputs } = await step.main()
      await step.post()
      expect([code, outputs['outcome'], outputs['platforms']]).toEqual([
        0,
        'success',
        'linux/amd64,linux/386,linux/arm64,linux/arm/v7'
      ])
      expect(stdout).toMatch(/^1000$[\s\S]*^pi$/m)
      const owners = await Promise.all(['mine', 'roots'].map(name => stat(join(job.workspace, name))))
      expect(owners.map(({ uid, gid }) => [uid, gid])).toEqual([
        [1234, 1234],
        [1234, 1234]
      ])
      expect(summary).toMatch(/user mode.*host's kernel/i)
    } finally {
      expect(await job.dispose()).toEqual([])
    }
  })

  test('killed in the middle of a script, leaves nothing once post has run', async () => {
    const job = await RunnerJob.create()
    try {
      const step = job.step({ mode: 'user', image: 'mini-arm64', run: 'echo script runs; sleep 1000' })
      const running = await step.start()
      await running.waitForLog(/^script runs$/m, 120_000)
      running.kill('SIGKILL')
      await running.done
      expect((await step.post()).code).toBe(0)
    } finally {
      expect(await job.dispose()).toEqual([])
    }
  })
})
