import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bareProgram, linuxFiles } from '../kit/bare-kernels'
import { cli, type CliResult } from '../kit/cli'
import { needs } from '../kit/needs'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'

jest.setTimeout(300_000)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-bare-'))
  await needs(['procps'])
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const flags = (inputs: Readonly<Record<string, string>>): readonly string[] =>
  Object.entries(inputs).map(([name, value]) => `--${name}=${value}`)

/** `pi-qemu run --image none`; asserts that nothing is left of it. */
async function bare(
  inputs: Readonly<Record<string, string>>,
  onStderr: (text: string) => void = () => undefined
): Promise<CliResult> {
  const home = join(folder, 'home')
  const result = await cli(['run', '--image', 'none', ...flags({ board: 'virt', ...inputs })], {
    cwd: folder,
    home,
    onStderr
  })
  expect(await readdir(join(home, 'runs')).catch(() => [])).toEqual([])
  expect(await run('pgrep', ['-f', `qemu-system-aarch64.*${home}`], { tolerate: true })).toBe('')
  return result
}

async function program(text: string, then: 'off' | 'hang' | number): Promise<string> {
  const file = join(folder, `${then}.bin`)
  await writeFile(file, bareProgram(text, then))
  return file
}

describe('a Linux kernel without an image', () => {
  test('on a Pi 3: its serial output is the result, and its switching off the end', async () => {
    const { kernel, hello, tree } = await linuxFiles()
    const { code, stdout, stderr } = await bare({ board: 'raspi3b', kernel, initrd: hello, dtb: tree })
    expect([code, stdout]).toEqual([0, expect.stringMatching(/Booting Linux[\s\S]*^hello from aarch64\r?$/m)])
    expect(stderr).toMatch(/The guest switched itself off after/)
  })

  test('a panic is a failed boot, at once', async () => {
    const { code, stderr, seconds } = await bare({ kernel: (await linuxFiles()).kernel })
    expect([code, stderr]).toEqual([
      125,
      expect.stringMatching(/found no root file system.*Kernel panic[\s\S]*Remedy: /)
    ])
    expect(seconds).toBeLessThan(120)
  })

  test('what a board cannot start is refused', async () => {
    const { kernel } = await linuxFiles()
    expect((await bare({ board: 'raspi2b', kernel })).stderr).toMatch(
      /64-bit one, which board `raspi2b` does not start/
    )
    expect((await bare({ board: 'raspi3b', kernel })).stderr).toMatch(/needs a device tree for Linux; give `dtb`/)
  })
})

describe('a program that is not Linux', () => {
  test('switches itself off: success; the console to the byte', async () => {
    const { code, stdout, stderr, seconds } = await bare({ kernel: await program('one\ntwo\n', 'off') })
    expect([stderr, code, stdout]).toEqual([expect.stringContaining('switched itself off'), 0, 'one\ntwo\n'])
    expect(seconds).toBeLessThan(60)
  })

  test('shows what is expected, a prompt say, and need not end', async () => {
    const { code, stderr } = await bare({ kernel: await program('ready\n=> ', 'hang'), expect: '^=> $' })
    expect([code, stderr]).toEqual([0, expect.stringMatching(/The console showed \/\^=> \$\/ after/)])
  })

  test('never shows it, and hangs: the time limit, with the end of the console', async () => {
    const { code, stderr } = await bare({
      kernel: await program('stage 1\nstage 2\n', 'hang'),
      expect: 'stage 3',
      'run-timeout': '2s'
    })
    expect([code, stderr]).toEqual([
      124,
      expect.stringMatching(/did not show \/stage 3\/ within 2 s \(run-timeout\); its last lines:\s+stage 1\s+stage 2/)
    ])
  })

  test('ends with a status by semihosting', async () => {
    const { code, stderr } = await bare({ kernel: await program('failed\n', 3), 'qemu-args': '-semihosting' })
    expect([code, stderr]).toEqual([
      3,
      expect.stringMatching(/switched itself off.*with status 3; its last lines:\s+failed/)
    ])
  })

  test('in a workflow, one that switches off without showing it is a failed step', async () => {
    const job = await RunnerJob.create()
    const step = job.step({
      image: 'none',
      board: 'virt',
      kernel: await program('wrong answer', 'off'),
      expect: 'right'
    })
    const { code, outputs, commands, summary } = await step.main()
    expect([code, outputs['outcome'], outputs['exit-code']]).toEqual([1, 'script-failed', '1'])
    // Without a line end of the guest's own, the annotation still begins a line.
    expect(commands.filter(({ name }) => name === 'error').map(({ message }) => message)).toEqual([
      expect.stringMatching(/switched itself off.*did not show \/right\/; its last lines:\nwrong answer/)
    ])
    expect(summary).toContain('did not show')
    await step.post()
    expect(await job.dispose()).toEqual([])
  })

  test('QEMU ended from outside is no power-off', async () => {
    const kernel = await program('up\n', 'hang')
    let ended: Promise<unknown> | undefined
    const end = async (): Promise<void> => {
      const pid = await run('pgrep', ['-f', `qemu-system-aarch64.*-kernel ${kernel}`])
      process.kill(Number(pid), 'SIGTERM')
    }
    const { code, stderr } = await bare({ kernel }, text => {
      if (text.includes('> Serial console')) ended ??= end()
    })
    await ended
    expect([code, stderr]).toEqual([125, expect.stringMatching(/QEMU ended after [\d.]+ s \(status 0\)/)])
  })
})

describe("the user's disks", () => {
  const make = async (name: string): Promise<string> => {
    await run('mke2fs', ['-q', '-t', 'ext4', '-L', name, join(folder, `${name}.img`), '16M'])
    return join(folder, `${name}.img`)
  }
  const mark = async (disk: string): Promise<string> => {
    // Without -y it only looks: a file system that was not put away properly is a fault.
    await run('e2fsck', ['-f', '-n', disk])
    return run('debugfs', ['-R', 'cat /mark', disk])
  }

  test('are seen in the guest, by their serial numbers; what is written is on the host, the file system clean', async () => {
    const [first, second] = [await make('first'), await make('second')]
    const qcow2 = join(folder, 'second.qcow2')
    await run('qemu-img', ['convert', '-O', 'qcow2', second, qcow2])
    // Neither unmounted nor synced, and a file is open.
    const script = `
      for label in first second; do
        mkdir /mnt/$label; mount "$(findfs LABEL=$label)" /mnt/$label; echo "by the guest" > /mnt/$label/mark
      done
      sleep 1000 > /mnt/first/open 2>&1 &
      cat /sys/block/*/serial`
    const { code, stdout, stderr } = await cli(
      ['run', ...flags({ board: 'virt', sync: 'none', disks: 'first.img', run: script }), '--disks', 'second.qcow2'],
      { cwd: folder }
    )
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining('extra0extra1'), expect.anything()])
    expect(await mark(first)).toBe('by the guest\n')
    await run('qemu-img', ['convert', '-O', 'raw', qcow2, second])
    expect(await mark(second)).toBe('by the guest\n')
  })

  test('that cannot be used are refused before anything starts', async () => {
    const kernel = await program('', 'off')
    const [raw, used] = [await make('raw'), await make('used')]
    await run('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', raw, 'orphan.qcow2'], { cwd: folder })
    await rm(raw)
    const refused = async (disks: string): Promise<string> => {
      const { code, stderr } = await bare({ kernel, disks })
      expect(code).toBe(125)
      return stderr
    }
    expect(await refused('orphan.qcow2')).toMatch(/cannot be opened: .*raw\.img.*No such file/)
    expect(await refused('orphan.qcow2:raw')).toMatch(/as raw, but it is a qcow2 file/)
    expect(await refused('off.bin:qcow2')).toMatch(/as qcow2, but it is not a qcow2 file/)
    const holder = spawn('qemu-io', ['-f', 'raw', used], { stdio: ['pipe', 'pipe', 'inherit'] })
    // Its prompt: the file is open.
    await once(holder.stdout, 'data')
    expect(await refused('used.img')).toMatch(/in use by another program/)
    holder.stdin.end()
    await once(holder, 'close')
  })
})
