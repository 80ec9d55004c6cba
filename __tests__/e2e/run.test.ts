import { chmod, mkdir, readFile, readlink, stat, symlink, writeFile } from 'node:fs/promises'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { debianImage } from '../kit/debian-image'
import { RunnerJob } from '../kit/runner'
import { toCompressed } from '../kit/archives'

jest.setTimeout(600_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const images = {
  'mini-arm64': () => Promise.resolve('mini-arm64'),
  'Debian 12': async () => toCompressed(await debianImage(), 'xz')
} as const
type ImageName = keyof typeof images
const imageNames = Object.keys(images) as readonly ImageName[]

describe.each(imageNames.flatMap(name => (['virt', 'raspi3b'] as const).map(board => [name, board] as const)))(
  '%s on %s',
  (name, board) => {
    test('a script finds its environment, directory and workspace, and its changes come back', async () => {
      const { workspace } = job
      await mkdir(join(workspace, 'sub/empty'), { recursive: true })
      await writeFile(join(workspace, 'read me.txt'), 'from the host\n')
      await writeFile(join(workspace, 'sub/gone.txt'), 'x')
      await writeFile(join(workspace, 'tool.sh'), '#!/bin/sh\necho tool ran\n')
      await chmod(join(workspace, 'tool.sh'), 0o755)
      await symlink('read me.txt', join(workspace, 'link'))
      const odd = Buffer.concat([Buffer.from(`${workspace}/odd\n"$name`), Buffer.from([0xff])])
      await writeFile(odd, 'odd')

      const run = [
        'echo "where=$PWD"',
        'echo "spaces=[$SPACES] quotes=[$QUOTES]"',
        'printf "lines=[%s]\\n" "$LINES_OF_TEXT"',
        'echo "on stderr" >&2',
        'cat "../read me.txt" ../link',
        '../tool.sh',
        'ls empty',
        'rm gone.txt',
        'printf made > made.sh; chmod 750 made.sh',
        'ln -s made.sh made.link',
        'mkdir -p deep/er',
        'tr -d "\\0" < /proc/device-tree/model; echo'
      ].join('\n')
      const env = 'SPACES=a b  c\nQUOTES=it\'s "so" $HOME `id`\nLINES_OF_TEXT'
      const step = job.step(
        { image: await images[name](), board, run, env, 'working-directory': 'sub' },
        {
          env: { LINES_OF_TEXT: "first\nsecond 'line'\n" }
        }
      )
      const result = await step.main()

      expect(result.log).not.toMatch(/::error/)
      expect(result.outputs).toMatchObject({ outcome: 'success', 'exit-code': '0', board })
      expect(result.code).toBe(0)
      expect(result.stdout).toContain(`where=${workspace}/sub\n`)
      expect(result.stdout).toContain('spaces=[a b  c] quotes=[it\'s "so" $HOME `id`]\n')
      expect(result.stdout).toContain("lines=[first\nsecond 'line'\n]\n")
      expect(result.stdout).toContain('from the host\nfrom the host\ntool ran\n')
      expect(result.stderr).toContain('on stderr\n')
      expect(result.stdout).toContain(board === 'virt' ? 'linux,dummy-virt\n' : 'Raspberry Pi 3 Model B\n')
      expect(await readFile(join(workspace, 'sub/made.sh'), 'utf8')).toBe('made')
      expect((await stat(join(workspace, 'sub/made.sh'))).mode & 0o7777).toBe(0o750)
      expect(await readlink(join(workspace, 'sub/made.link'))).toBe('made.sh')
      expect((await stat(join(workspace, 'sub/deep/er'))).isDirectory()).toBe(true)
      expect(existsSync(join(workspace, 'sub/gone.txt'))).toBe(false)
      expect(existsSync(odd)).toBe(true)
      expect((await stat(join(workspace, 'tool.sh'))).mode & 0o777).toBe(0o755)
      expect(Number(result.outputs['boot-seconds'])).toBeGreaterThan(0)
      expect(Object.keys(JSON.parse(result.outputs['timings'] ?? '{}') as object)).toEqual(
        // Continuing a booted Pi, QEMU's start and the set-up are part of that.
        expect.arrayContaining([
          ...['tools', 'image', 'disk', 'boot', 'run', 'workspace-out', 'power-off'],
          ...(board === 'virt' ? [] : ['qemu', 'setup'])
        ])
      )
      expect(result.summary).toContain('success')
      expect((await step.post()).code).toBe(0)
    })
  }
)

/** Tells the root's device, and how many units are masked on disk. */
const look = "grep ' / ext4 ' /proc/mounts; echo masked=$(ls /etc/systemd/system.control 2>/dev/null | wc -l)"
const disks = { virt: '/dev/vda2', sd: '/dev/mmcblk0p2', usb: '/dev/sda2' } as const

// They come from the image's SSH server (dropbear, OpenSSH) and shell; the ways to boot are shown by the way.
describe.each([
  ['mini-arm64', { board: 'virt' }, { board: 'virt', snapshot: 'off' }],
  ['Debian 12', { board: 'raspi3b', storage: 'sd' }, { board: 'raspi3b', storage: 'usb' }]
] as const)('the end of a script on %s', (name, full, fast) => {
  const inputs = async (more: Readonly<Record<string, string>>): Promise<Record<string, string>> => ({
    ...{ image: await images[name](), sync: 'none' },
    ...more
  })
  const rootOf = (way: typeof full | typeof fast): string => disks['storage' in way ? way.storage : way.board]

  test("the script's status is the step's, after a full boot", async () => {
    const step = job.step(await inputs({ ...full, boot: 'full', run: `${look}\nfalse || exit 3; echo not reached` }))
    const result = await step.main()
    expect(result.code).toBe(3)
    expect(result.stdout).toContain(`${rootOf(full)} / ext4 `)
    expect(result.stdout).toContain('masked=0\n')
    expect(result.outputs).toMatchObject({ outcome: 'script-failed', 'exit-code': '3' })
    await step.post()
  })

  test('death by a signal is told apart from a status, after a fast boot', async () => {
    const step = job.step(await inputs({ ...fast, boot: 'fast', run: `${look}\nkill -KILL $$` }))
    const result = await step.main()
    expect(result.code).toBe(137)
    expect(result.stdout).toContain(`${rootOf(fast)} / ext4 `)
    expect(result.stdout).toMatch(name === 'Debian 12' ? /masked=[1-9]/ : /masked=0$/m)
    expect(result.outputs).toMatchObject({ outcome: 'script-failed', 'exit-code': '137' })
    expect(result.log).toContain('killed by SIGKILL')
    await step.post()
  })
})

describe('sync', () => {
  const script = 'ls; echo guest > file; echo new > new'
  const run = async (
    sync: string,
    more: Readonly<Record<string, string>> = {}
  ): Promise<{ stdout: string; file: string; made: boolean }> => {
    await writeFile(join(job.workspace, 'file'), 'host\n')
    const step = job.step({ image: 'mini-arm64', board: 'virt', run: script, sync, ...more })
    const { stdout, code, log } = await step.main()
    expect([code, log]).toEqual([0, expect.any(String)])
    await step.post()
    return {
      stdout,
      file: await readFile(join(job.workspace, 'file'), 'utf8'),
      made: existsSync(join(job.workspace, 'new'))
    }
  }

  test('in: the guest sees the workspace, and nothing comes back', async () => {
    const { stdout, file, made } = await run('in')
    expect(stdout).toMatch(/^file$/m)
    expect([file, made]).toEqual(['host\n', false])
  })

  test('out: the guest starts empty, and what it makes comes back', async () => {
    const { stdout, file, made } = await run('out')
    expect(stdout).not.toMatch(/^file$/m)
    expect([file, made]).toEqual(['guest\n', true])
  })

  test('none: the script runs in the home folder, without the workspace', async () => {
    const { stdout, file, made } = await run('none', { run: 'pwd; ls -d /tmp/pi-qemu-test* || echo nothing' })
    expect(stdout).toContain('/root\nnothing\n')
    expect([file, made]).toEqual(['host\n', false])
  })

  test('sync-exclude: what is left out stays on the host, whatever the guest makes under that name', async () => {
    await mkdir(join(job.workspace, 'node_modules/lib'), { recursive: true })
    await writeFile(join(job.workspace, 'node_modules/lib/index.js'), 'host\n')
    const { stdout } = await run('both', {
      'sync-exclude': 'node_modules',
      run: 'ls; mkdir node_modules; echo guest > node_modules/x; touch new'
    })
    expect(stdout).not.toContain('node_modules')
    expect(existsSync(join(job.workspace, 'node_modules/x'))).toBe(false)
    expect(await readFile(join(job.workspace, 'node_modules/lib/index.js'), 'utf8')).toBe('host\n')
  })
})
