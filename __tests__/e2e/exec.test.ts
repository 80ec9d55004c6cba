import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli, type CliOptions, type CliResult } from '../kit/cli'
import { crossBuild, needsCompilers, sysrootOf, type CrossTarget } from '../kit/cross-programs'
import { run } from '../kit/run'
import { RunnerJob, sharedHome } from '../kit/runner'

jest.setTimeout(300_000)

/** What a program got, and a status of its own. */
const telling = `
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
int main(int count, char **args) {
  char line[100] = "", folder[4096];
  for (int at = 1; at < count; at++) printf("[%s]", args[at]);
  if (fgets(line, sizeof line, stdin)) printf(" stdin %s", line);
  printf("%s %s\\n", getenv("GREETING") ? getenv("GREETING") : "none", getcwd(folder, sizeof folder));
  fprintf(stderr, "to stderr\\n");
  return 42;
}`

/** A division that ARMv6 has no instruction for, in a function of that name; the rest is for any CPU. */
const divide = (attribute: string): string => `
__attribute__((noinline${attribute})) unsigned divide(unsigned a, unsigned b) { return a / b; }`
const dividing = (rest: string): string => `
#include <stdio.h>
${rest}
int main(int count, char **args) { puts("before"); fflush(stdout); printf("%u\\n", divide(100, count + 6)); return 0; }`

/** Tries an instruction, as libraries do that look for what a CPU has. */
const probing = `
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
static sigjmp_buf back;
static void on(int signal) { siglongjmp(back, 1); }
int main(void) {
  signal(SIGILL, on);
  for (int at = 0; at < 150; at++)
    if (!sigsetjmp(back, 1)) { __asm__ volatile(".arch armv7ve\\n udiv r0, r1, r2" ::: "r0"); puts("has it"); return 0; }
  puts("lacks it");
  return 0;
}`

/** Eight threads that send signals to each other, all at once, and count what came. */
const signalling = `
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
static volatile int count;
static pthread_t threads[8];
static pthread_barrier_t barrier;
static void on(int signal) { __sync_fetch_and_add(&count, 1); }
static void *work(void *number) {
  pthread_barrier_wait(&barrier);
  for (long at = 0; at < 200; at++) pthread_kill(threads[(at * 7 + (long)number) % 8], SIGUSR1);
  pthread_barrier_wait(&barrier);
  return 0;
}
int main(void) {
  struct sigaction action = { .sa_handler = on, .sa_flags = SA_RESTART };
  sigaction(SIGUSR1, &action, 0);
  pthread_barrier_init(&barrier, 0, 9);
  for (long at = 0; at < 8; at++) pthread_create(&threads[at], 0, work, (void *)at);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  for (int at = 0; at < 8; at++) pthread_join(threads[at], 0);
  puts(count > 0 ? "done" : "no signal");
  return 0;
}`

/** Every signal that a program can handle under all QEMUs, each sent once; those of which none came. */
const everySignal = `
#include <signal.h>
#include <stdio.h>
#include <unistd.h>
static volatile int got[65];
static void on(int signal) { got[signal]++; }
int main(void) {
  for (int signal = 1; signal <= 60; signal++) {
    if (signal == SIGKILL || signal == SIGSTOP || signal == 32 || signal == 33) continue;
    struct sigaction action = { .sa_handler = on };
    sigaction(signal, &action, 0);
    kill(getpid(), signal);
    if (got[signal] != 1) printf("%d came %d times\\n", signal, got[signal]);
  }
  puts("all");
  return 0;
}`

/** Waits for a signal, says which it was, and ends with a status of its own. */
const waiting = `
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
static void on(int signal) { printf("signal %d\\n", signal); fflush(stdout); _exit(5); }
int main(void) {
  signal(SIGINT, on); signal(SIGTERM, on); signal(SIGHUP, on);
  fprintf(stderr, "ready\\n");
  for (;;) pause();
}`

const endingBy = `
#include <signal.h>
#include <stdlib.h>
int main(int count, char **args) { if (args[1][0] == 't') __builtin_trap(); raise(atoi(args[1])); return 0; }`

/** An instruction of Arm's scalable vectors, which no Pi has. */
const scalable = `
__attribute__((noipa)) void sve(void) { __asm__(".arch armv8-a+sve\\n ptrue p0.b"); }
int main(void) { sve(); return 0; }`

describe('pi-qemu exec', () => {
  const made: Record<string, string> = {}
  const program = (name: string): string => made[name] ?? name
  const armel = (...words: readonly string[]): readonly string[] => [
    ...['exec', '--platform', 'linux/arm/v6', '--sysroot', sysrootOf('armel')],
    ...words
  ]
  let folder = ''
  /** An empty folder, in which nothing may be left. */
  let empty = ''
  const exec = (words: readonly string[], options: CliOptions = {}): Promise<CliResult> =>
    cli(words, { cwd: empty, ...options })

  beforeAll(async () => {
    expect(await cli(['doctor', '--install'])).toMatchObject({ code: 0 })
    await needsCompilers()
    folder = await realpath(await mkdtemp(join(tmpdir(), 'pi-qemu-test-exec-')))
    empty = join(folder, 'empty')
    await mkdir(empty)
    const build = async (
      target: CrossTarget,
      name: string,
      source: string,
      flags: readonly string[] = []
    ): Promise<void> => {
      made[name] = await crossBuild(folder, target, name, source, flags)
    }
    const onArmv7 = ', target("arch=armv7ve")'
    await build('armel', 'telling', telling)
    await build('armel', 'telling-static', telling, ['-static'])
    await build('armel', 'dividing', dividing(divide('')))
    await build('armel', 'dividing-armv7', dividing(divide(onArmv7)), ['-static'])
    await build('armel', 'lib/libdivide.so.1', divide(''), [
      ...['-shared', '-fPIC', '-march=armv7ve', '-Wl,-soname,libdivide.so.1']
    ])
    await build('armel', 'with-library', dividing('unsigned divide(unsigned, unsigned);'), [
      program('lib/libdivide.so.1'),
      '-Wl,-rpath,$ORIGIN/lib'
    ])
    await build('armel', 'without-library', dividing('unsigned divide(unsigned, unsigned);'), [
      program('lib/libdivide.so.1')
    ])
    await build('armel', 'probing', probing)
    await build('armel', 'signalling', signalling)
    await build('armel', 'every-signal', everySignal)
    await build('armel', 'waiting', waiting)
    await build('armel', 'ending-by', endingBy)
    await build('armhf', 'armhf-dividing', dividing(divide('')), ['-mcpu=cortex-a15'])
    await build('arm64', 'arm64-telling', telling)
    await build('arm64', 'arm64-sve', scalable)
  })

  afterAll(() => rm(folder, { recursive: true, force: true }))

  afterEach(async () => {
    expect(await readdir(empty)).toEqual([])
    expect((await readdir(tmpdir())).filter(name => name.startsWith('pi-qemu-exec-'))).toEqual([])
  })

  test.each(['telling', 'telling-static'])('runs a correct ARMv6 program as its caller would: %s', async name => {
    const words = armel('--env', 'GREETING=hello there', '--', program(name), 'two words', '--', '$HOME')
    expect(await exec(words, { input: 'a line\nanother\n' })).toMatchObject({
      ...{ code: 42, signal: null },
      stdout: `[two words][--][$HOME] stdin a line\nhello there ${empty}\n`,
      stderr: 'to stderr\n'
    })
  })

  test('takes the libraries out of an image, and keeps them', async () => {
    const words = ['exec', '--sysroot', 'mini-arm64', '--', program('arm64-telling')]
    const { code, stdout, stderr } = await exec(words, { env: { GREETING: 'from an image' } })
    expect([code, stdout, stderr]).toEqual([42, `from an image ${empty}\n`, expect.anything()])
    const again = await exec(words)
    expect([again.code, again.stderr]).toEqual([42, 'to stderr\n'])
    expect(await readdir(join(sharedHome, 'runs'))).toEqual([])
    const wrong = await exec(['exec', '--sysroot', './none', '--', program('arm64-telling')])
    expect([wrong.code, wrong.stderr]).toEqual([
      125,
      expect.stringContaining('input `sysroot` is “./none”, which is neither a file')
    ])
  })

  test('a later step runs a cross-built program like any other, with the libraries that an input names', async () => {
    const job = await RunnerJob.create()
    const step = job.step({ mode: 'user', platforms: 'linux/arm64', sysroot: 'mini-arm64' })
    try {
      const { code, outputs } = await step.main()
      expect([code, outputs['outcome']]).toEqual([0, 'success'])
      const env = { QEMU_LD_PREFIX: outputs['sysroot'] ?? '', GREETING: 'from a step' }
      const said = await run('sh', ['-c', '"$1" < /dev/null; echo "status $?"', 'step', program('arm64-telling')], {
        env,
        cwd: empty
      })
      expect(said).toBe(`from a step ${empty}\nstatus 42\n`)
    } finally {
      await step.post()
      expect(await job.dispose()).toEqual([])
    }
  })

  test('takes the platform from the program, and its environment from the caller', async () => {
    const words = ['exec', '--sysroot', sysrootOf('arm64'), '--', program('arm64-telling')]
    expect(await exec(words, { env: { GREETING: 'hi' } })).toMatchObject({ code: 42, stdout: `hi ${empty}\n` })
  })

  test('runs a program that keeps to ARMv6, where the same built for more does not', async () => {
    expect(await exec(armel('--', program('dividing')))).toMatchObject({ code: 0, stdout: 'before\n14\n' })
    const { code, stdout, stderr } = await exec(armel('--locate', '--', program('dividing-armv7')))
    expect({ code, stdout }).toEqual({ code: 132, stdout: 'before\n' })
    const symbols = await run('arm-linux-gnueabi-nm', [program('dividing-armv7')])
    const address = Number.parseInt(/^(\w+) T divide$/m.exec(symbols)?.[1] ?? '', 16).toString(16)
    expect(stderr).toContain(
      [
        `error: ${program('dividing-armv7')} was killed by SIGILL: this program uses an instruction that an arm1176 lacks`,
        `  address: 0x${address}`,
        `  file: ${program('dividing-armv7')}, at 0x${address} in it`,
        '  symbol: divide + 0x0',
        '  instruction: e730f110 (A32)',
        ''
      ].join('\n')
    )
    expect(stderr).toMatch(/^Cause: .*\/dividing-armv7 says it was built for ARMv6; an arm1176 is ARMv6KZ\./m)
    expect(stderr).toMatch(/^Remedy: build it with -march=armv6 /m)
    // A CPU that has the instruction.
    const more = await exec(armel('--cpu', 'cortex-a15', '--', program('dividing-armv7')))
    expect(more).toMatchObject({ code: 0, stdout: 'before\n14\n' })
  })

  test('names the library that has the illegal instruction, and what it was built for', async () => {
    const { code, stderr } = await exec(armel('--', program('with-library')))
    expect(code).toBe(132)
    const library = join(folder, 'lib/libdivide.so.1')
    expect(stderr).toMatch(/^ {2}address: 0x[0-9a-f]{6,8}$/m)
    expect(stderr).toContain(`\n  file: ${library}, at 0x`)
    expect(stderr).toContain('\n  symbol: divide + 0x0\n  instruction: e730f110 (A32)\n')
    expect(stderr).toContain(`\nCause: ${library} was built for ARMv7-A; an arm1176 is ARMv6KZ\n`)
    await run('arm-linux-gnueabi-strip', [library])
    const stripped = await exec(armel('--', program('with-library')))
    expect(stripped.stderr).toContain('\n  symbol: divide + 0x0\n')
  })

  test('says what Debian armhf is to an ARMv6', async () => {
    const words = [
      'exec',
      '--sysroot',
      sysrootOf('armhf'),
      '--platform',
      'linux/arm/v6',
      '--',
      program('armhf-dividing')
    ]
    const { code, stderr } = await exec(words)
    expect(code).toBe(132)
    expect(stderr).toMatch(/^Cause: .* was built for ARMv7-A; an arm1176 is ARMv6KZ$/m)
    expect(stderr).toMatch(
      /^Remedy: (Debian armhf is ARMv7: use Raspberry Pi OS's libraries|build it with -march=armv6)/m
    )
  })

  test('reads Thumb and 64-bit instructions', async () => {
    const thumb = await exec([
      ...['exec', '--sysroot', sysrootOf('armhf'), '--cpu', 'cortex-a9', '--locate', '--', program('armhf-dividing')]
    ])
    expect(thumb).toMatchObject({ code: 132, stdout: 'before\n' })
    expect(thumb.stderr).toContain('an instruction that a cortex-a9 lacks\n')
    expect(thumb.stderr).toContain('\n  symbol: divide + 0x0\n  instruction: fbb0 f0f1 (T32)\n')
    const wide = await exec(['exec', '--sysroot', sysrootOf('arm64'), '--locate', '--', program('arm64-sve')])
    expect(wide.code).toBe(132)
    expect(wide.stderr).toContain('an instruction that a cortex-a72 lacks\n')
    expect(wide.stderr).toContain('\n  symbol: sve + 0x0\n  instruction: 2518e3e0 (A64)\n')
    expect(wide.stderr).toContain('\nRemedy: build it with -mcpu=cortex-a72\n')
  })

  test('does not take a program for failed that handles SIGILL itself', async () => {
    expect(await exec(armel('--locate', '--', program('probing')))).toMatchObject({
      code: 0,
      stdout: 'lacks it\n',
      stderr: ''
    })
    expect(await exec(armel('--cpu', 'cortex-a15', '--locate', '--', program('probing')))).toMatchObject({
      ...{ code: 0, stdout: 'has it\n', stderr: '' }
    })
  })

  test('tells a trap, and a signal that was sent, from an instruction that the CPU lacks', async () => {
    const trap = await exec(armel('--locate', '--', program('ending-by'), 'trap'))
    expect(trap.code).toBe(132)
    expect(trap.stderr).toMatch(
      /was killed by SIGILL: it ran into a trap\n[\s\S]*symbol: main \+ 0x[\s\S]*__builtin_trap/
    )
    const sent = await exec(armel('--locate', '--', program('ending-by'), '4'))
    expect(sent.code).toBe(132)
    expect(sent.stderr).toMatch(/was killed by SIGILL\nCause: the signal was sent/)
  })

  test('says how to see where, if nothing told before that it would not run', async () => {
    const { code, stderr } = await exec(armel('--', program('dividing-armv7')))
    expect(code).toBe(132)
    expect(stderr).toMatch(/was killed by SIGILL\nCause: it used an instruction that an arm1176 lacks/)
    expect(stderr).toContain('Remedy: --locate shows where, in another run')
    expect(stderr).not.toContain('address')
  })

  test.each([
    ['SIGABRT', 6, 134],
    ['SIGKILL', 9, 137],
    ['SIGSEGV', 11, 139]
  ])('names the signal that kills a program: %s', async (name, number, status) => {
    const { code, stderr } = await exec(armel('--', program('ending-by'), String(number)))
    expect(code).toBe(status)
    expect(stderr).toContain(`error: ${program('ending-by')} was killed by ${name}\n`)
  })

  test.each([
    ['SIGINT', 2],
    ['SIGTERM', 15],
    ['SIGHUP', 1]
  ] as const)('passes %s on to the program, which decides', async (name, number) => {
    let sent = false
    const result = await exec(armel('--', program('waiting')), {
      onStderr: (text, pid) => {
        if (text.includes('ready') && !sent) sent = process.kill(pid, name)
      }
    })
    expect(result).toMatchObject({ code: 5, signal: null, stdout: `signal ${number}\n`, stderr: 'ready\n' })
  })

  test('loses no signal, and bears threads that all send some at once', async () => {
    expect(await exec(armel('--', program('every-signal')))).toMatchObject({ code: 0, stdout: 'all\n' })
    for (let time = 0; time < 10; time++)
      expect(await exec(armel('--', program('signalling')))).toMatchObject({ code: 0, stdout: 'done\n' })
  })

  test('names a library that the sysroot lacks, and the loader', async () => {
    const missing = await exec(armel('--', program('without-library')))
    expect(missing).toMatchObject({ code: 125, stdout: '' })
    expect(missing.stderr).toContain(
      `error: /usr/arm-linux-gnueabi lacks a shared library: libdivide.so.1 (for ${program('without-library')})\nCause: `
    )
    expect(missing.stderr).toContain("by Debian's rule for names: libdivide1:armel")
    const found = await exec(armel('--env', `LD_LIBRARY_PATH=${folder}/lib`, '--', program('without-library')))
    expect(found.stdout).toBe('before\n')

    const other = await exec(['exec', '--sysroot', sysrootOf('armel'), '--', program('armhf-dividing')])
    expect(other.code).toBe(125)
    expect(other.stderr).toContain('needs the dynamic loader /lib/ld-linux-armhf.so.3, which /usr/arm-linux-gnueabi')
    expect(other.stderr).toContain("Cause: the sysroot is another system's: ld-linux.so.3 (armel)\n")

    const links = join(folder, 'links')
    await mkdir(join(links, 'lib'), { recursive: true })
    await symlink('/lib/arm-linux-gnueabi/no-such-loader', join(links, 'lib/ld-linux.so.3'))
    const absolute = await exec(['exec', '--sysroot', links, '--', program('telling')])
    expect(absolute.stderr).toContain(
      'Cause: it is a link to /lib/arm-linux-gnueabi/no-such-loader there, which leads out of the sysroot\n'
    )
  })

  test('says what is wrong with a request before it does anything', async () => {
    const script = join(folder, 'script')
    await writeFile(script, '#!/bin/sh\n', { mode: 0o755 })
    const faults: readonly (readonly [RegExp, readonly string[]])[] = [
      [/is no static program: it needs \/lib\/ld-linux\.so\.3 .* give `--sysroot`/, ['--', program('telling')]],
      [
        /is a program for Arm \(32-bit\), and not for `--platform linux\/arm64`; valid for it: linux\/arm\/v7, linux\/arm\/v6/,
        ['--platform', 'linux/arm64', '--', program('telling-static')]
      ],
      [/is no static program: it needs \S+ and libraries; give `--sysroot`/, ['--', process.execPath]],
      [/is no ELF program; scripts .* `pi-qemu binfmt install`/, ['--', script]],
      [/`no-such` does not exist/, ['--', 'no-such']],
      [/“linux\/arm\/v9”, which is no platform; valid: linux\/arm64, /, ['--platform', 'linux/arm/v9', '--', script]],
      [/`--cpu` is `z80`, .* valid: .*arm1176/, ['--cpu', 'z80', '--', program('telling-static')]],
      [/`--env` is `NAME`; valid is NAME=VALUE/, ['--env', 'NAME', '--', script]],
      [/the program goes after `--`/, [script]],
      [/needs a program after `--`/, ['--sysroot', '/']]
    ]
    const results = await Promise.all(faults.map(([, words]) => exec(['exec', ...words])))
    for (const [at, { code, stdout, stderr }] of results.entries()) {
      expect({ code, stdout }).toEqual({ code: 125, stdout: '' })
      expect(stderr).toMatch(faults[at]?.[0] ?? '')
    }
  })
})
