import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parsePartitions } from '../../src/images/partitions'
import { passwordLogin, SerialTerminal } from '../kit/guest-login'
import { lookAlike, styles, type StyleName } from '../kit/look-alikes'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

// The first look-alike on a machine takes some minutes of package installation under emulation.
jest.setTimeout(1_800_000)

const password = 'Pass wörd: $6$ "it\'s"'
let job: RunnerJob
let scratch: string
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-families-'))
  // A cache of its own, to see what gets into it.
  job = await RunnerJob.create({ home: join(scratch, 'home') })
})
afterEach(async () => {
  const left = await job.dispose()
  await rm(scratch, { recursive: true, force: true })
  expect(left).toEqual([])
})

/** Boots and leaves the Pi up for `look`; then post. */
async function boot(
  style: StyleName,
  inputs: Readonly<Record<string, string>>,
  look: (result: StepResult, ssh: (command: string) => Promise<string>) => Promise<void>
): Promise<void> {
  const image = await lookAlike(style)
  const common = { image, sync: 'none', 'keep-running': 'true', 'boot-timeout': '15m' }
  const step = job.step({ board: 'virt', ...common, ...inputs })
  const result = await step.main()
  try {
    expect([result.outputs['outcome'], result.log]).toEqual(['success', expect.any(String)])
    const config = result.outputs['ssh-config'] ?? ''
    await look(result, command => run('ssh', ['-F', config, 'pi', command]))
  } finally {
    await step.post()
  }
}

const facts = 'id -un; hostname; . /etc/os-release; echo $VERSION_CODENAME; sudo -n id -u; findmnt -no TARGET -t vfat'
const failedUnits = 'systemctl --failed --plain --no-legend | cut -d" " -f1'

/** The only image in the job's cache. */
async function prepared(): Promise<string> {
  const images = join(job.home, 'images')
  const [name = '', ...others] = (await readdir(images)).filter(entry => !entry.startsWith('.'))
  expect(others).toEqual([])
  return join(images, name, 'disk.img')
}

const gib = (kib: string): number => Number(kib) / 1024 / 1024

/** Each takes minutes to build, once per machine, and to boot: by default one is tried; PI_QEMU_TEST_FAMILIES=all adds the others. */
const tried = (style: StyleName): boolean => style === 'bookworm' || process.env['PI_QEMU_TEST_FAMILIES'] === 'all'

const skipping: readonly (readonly [style: StyleName, board: string])[] = [
  ['bullseye', 'raspi3b'],
  ['bookworm', 'virt'],
  ['trixie', 'virt']
]

describe.each(skipping.filter(([style]) => tried(style)))('%s on %s, first boot skipped', (style, board) => {
  test('password, host name, files and disk size are as asked for; the cache learns no secret', async () => {
    await writeFile(join(scratch, 'tool'), '#!/bin/sh\necho tool of the host\n', { mode: 0o600 })
    const { bootMount } = styles[style]
    const console = join(scratch, 'console')
    const inputs = {
      ...{ board, password, hostname: 'lab-7', 'disk-size': '4G' },
      files: [
        `${join(scratch, 'tool')}:/opt/new/folder/tool:0755`,
        `${join(scratch, 'tool')}:/lib/tool`,
        `${join(scratch, 'tool')}:${bootMount}/note.txt`
      ].join('\n'),
      ...(board === 'virt' && {
        // A second serial line that can be typed on; the first is a file.
        'qemu-args': `-chardev socket,id=tty,path=${console},server=on,wait=off -device pci-serial,chardev=tty`,
        append: 'systemd.wants=serial-getty@ttyS0.service'
      })
    }
    await boot(style, inputs, async ({ commands, stdout, log, outputs }, ssh) => {
      expect(await ssh(facts)).toBe(['pi', 'lab-7', style, '0', bootMount, ''].join('\n'))
      expect(await ssh(failedUnits)).toBe('')
      // 4 GiB without the boot partition and what ext4 needs for itself.
      const size = gib((await ssh('df --output=size / | tail -1')).trim())
      expect(size).toBeGreaterThan(3.2)
      expect(size).toBeLessThan(4)
      expect(await ssh('/opt/new/folder/tool; stat -c "%a %U %G" /opt/new/folder/tool /opt/new /usr/lib/tool')).toBe(
        'tool of the host\n755 root root\n755 root root\n600 root root\n'
      )
      expect(await ssh(`cat ${bootMount}/note.txt`)).toContain('tool of the host')
      expect(await ssh('ls /var/lib | grep -c look-alike || true')).toBe('0\n')
      expect(await ssh('stat -c "%a %U %G" /etc/shadow')).toBe('640 root shadow\n')

      const port = Number(outputs['ssh-port'])
      expect(await passwordLogin(port, 'pi', password, 'id -un')).toBe('pi\n')
      await expect(passwordLogin(port, 'pi', `${password}x`, 'id -un')).rejects.toThrow(/authentication/i)
      if (board === 'virt') expect(await consoleLogin(console)).toContain('pi on /dev/ttyS0')

      expect(commands.filter(({ name }) => name === 'add-mask').map(({ message }) => message)).toEqual([password])
      expect(stdout.replace(/^::add-mask::.*$/m, '')).not.toContain(password)
      expect(log).not.toContain('$6$')
      const disk = await prepared()
      const [, root] = parsePartitions(await run('sfdisk', ['--json', disk]))
      const read = (path: string): Promise<string> =>
        run('debugfs', ['-R', `cat ${path}`, `${disk}?offset=${root?.offset ?? 0}`])
      expect(await read('/etc/shadow')).toMatch(/^pi:\*{106}:/m)
      expect(await read('/etc/hostname')).toBe('lab-7\n')
      expect(await read('/opt/new/folder/tool')).toBe('')
    })
  })
})

async function consoleLogin(path: string): Promise<string> {
  const terminal = new SerialTerminal(path)
  try {
    terminal.say('')
    await terminal.expect(/login: $/)
    terminal.say('pi')
    await terminal.expect(/Password: $/)
    terminal.say(password)
    await terminal.expect(/\$ $/)
    terminal.say('echo "$(id -un) on" "$(tty)"')
    return await terminal.expect(/pi on \/dev\/\S+/)
  } finally {
    terminal.close()
  }
}

describe('the first boot of the image itself', () => {
  interface Case {
    readonly style: StyleName
    readonly reboots: number
    readonly password: string | undefined
    readonly done: Readonly<Record<string, boolean>>
  }
  const cases: readonly Case[] = [
    // Nobody could answer the wizard: without a password it is left out.
    { style: 'bullseye', reboots: 1, password: undefined, done: { 'look-alike-userconf': false } },
    { style: 'bookworm', reboots: 1, password, done: { 'look-alike-userconf': true } },
    {
      style: 'trixie',
      reboots: 0,
      password,
      done: { 'look-alike-userconf': true, 'look-alike-user-data': true, 'cloud/instance/boot-finished': true }
    }
  ]

  test.each(cases.filter(({ style }) => tried(style)))(
    'of $style happens to its end, with $reboots reboots',
    async ({ style, reboots, password: text, done }) => {
      const { diskId, bootMount } = styles[style]
      const inputs = { 'first-boot': 'run', hostname: 'lab-8', ...(text !== undefined && { password: text }) }
      await boot(style, inputs, async ({ log, outputs }, ssh) => {
        expect(log.match(/The guest rebooted/g)?.length ?? 0).toBe(reboots)
        expect(await ssh(facts)).toBe(['pi', 'lab-8', style, '0', bootMount, ''].join('\n'))
        expect(await ssh(failedUnits)).toBe('')
        expect(await ssh('systemctl is-system-running')).toBe('running\n')
        // New host keys, which are not those of the run: it got in with its own.
        expect(await ssh('ls /etc/ssh/ssh_host_ed25519_key /var/lib/look-alike-keys')).toContain('ssh_host_ed25519_key')
        // cmdline.txt has forgotten the first boot, and names the disk by its new ID.
        const cmdline = await ssh(`cat ${bootMount}/cmdline.txt /etc/fstab`)
        expect(cmdline).not.toMatch(/init=|resize/)
        expect(cmdline).not.toContain(diskId)
        expect(cmdline).toMatch(/root=PARTUUID=[0-9a-f]{8}-02/)
        // 1.3 or 1.5 GiB in all are 2 GiB on the card.
        expect(gib((await ssh('df --output=size / | tail -1')).trim())).toBeGreaterThan(
          style === 'bullseye' ? 1.5 : 1.3
        )
        for (const [name, happened] of Object.entries(done)) {
          expect([name, await ssh(`test -e /var/lib/${name}; echo $?`)]).toEqual([name, happened ? '0\n' : '1\n'])
        }
        if (text === undefined) return
        expect(await ssh(`ls ${bootMount}`)).not.toContain('userconf.txt')
        expect(await passwordLogin(Number(outputs['ssh-port']), 'pi', text, 'id -un')).toBe('pi\n')
      })
    }
  )
})
