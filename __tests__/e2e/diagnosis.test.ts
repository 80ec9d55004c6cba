import { truncate, writeFile } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { crossBuild, needsCompilers } from '../kit/cross-programs'
import { debianImage } from '../kit/debian-image'
import { elfFile } from '../kit/elf-files'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

// The first Debian image of a machine takes minutes to build.
jest.setTimeout(1_800_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

type Inputs = Readonly<Record<string, string>>

/** A run that fails, and the one message of it. */
async function failing(inputs: Inputs): Promise<StepResult & { readonly message: string }> {
  const step = job.step(inputs)
  const result = await step.main()
  await step.post()
  const messages = result.commands.filter(({ name }) => name === 'error').map(({ message }) => message)
  expect(messages).toHaveLength(1)
  const [message = ''] = messages
  return { ...result, message }
}

/** What is added for a row of the table, behind what is true anyway. */
const pointsAt = (id: string): unknown =>
  expect.stringMatching(new RegExp(`\\nCause: .+\\nRemedy: .+\\nSee: docs/troubleshooting\\.md#${id}$`))

describe('a script in a booted Pi that fails for a known reason', () => {
  const virt = { board: 'virt', sync: 'none' }

  test.each([
    [
      'disk-full',
      'mkdir -p /mnt/small; mount -t tmpfs -o size=64k small /mnt/small; dd if=/dev/zero of=/mnt/small/x bs=1M count=1'
    ],
    ['read-only', 'mkdir -p /mnt/ro; mount -t tmpfs -o ro none /mnt/ro; touch /mnt/ro/x'],
    ['kernel-module', 'modprobe i2c-of-a-pi'],
    ['no-network', 'wget -q http://pi.invalid/'],
    ['command-not-found', 'frobnicate --all']
  ])('%s', async (id, script) => {
    const { outcome, code, message, log, summary } = await failing({ ...virt, run: `echo begin; ${script}` }).then(
      result => ({ ...result, outcome: result.outputs['outcome'] })
    )
    expect([outcome, code]).toEqual(['script-failed', Number(/status (\d+)/.exec(message)?.[1])])
    expect(message).toMatch(/^The script ended with status \d+\nKnown trouble: .+ \(“.+”\)\n/)
    expect(message).toEqual(pointsAt(id))
    expect(summary).toContain('Known trouble: ')
    expect(log).toMatch(/^begin$/m)
  })

  test('out-of-memory, which only the console tells of', async () => {
    const { message } = await failing({ ...virt, memory: '256', snapshot: 'off', run: 'tail /dev/zero > /dev/null' })
    expect(message).toMatch(/memory of the guest did not suffice \(“.*Out of memory: Killed process/)
    expect(message).toEqual(pointsAt('out-of-memory'))
  })

  test('illegal-instruction', async () => {
    await needsCompilers()
    const source = 'int main(void) { __asm__(".inst 0"); return 0; }\n'
    await crossBuild(job.workspace, 'arm64', 'tool', source, ['-static'])
    const { message } = await failing({ board: 'virt', run: './tool' })
    expect(message).toEqual(pointsAt('illegal-instruction'))
  })
})

test('a script that succeeds has no hint, whatever it says', async () => {
  const step = job.step({ board: 'virt', sync: 'none', run: 'echo "cp: x: No space left on device" >&2' })
  const { code, log, summary } = await step.main()
  await step.post()
  expect(code).toBe(0)
  expect(log).toContain('No space left on device')
  expect(log + summary).not.toContain('Known trouble')
})

describe('a QEMU that does not start for a known reason', () => {
  test('memory-size', async () => {
    const { outputs, message } = await failing({ board: 'raspi3b', sync: 'none', run: 'true', 'qemu-args': '-m 512' })
    expect(outputs['outcome']).toBe('boot-failed')
    expect(message).toEqual(pointsAt('memory-size'))
  })

  test('card-size', async () => {
    const card = join(job.workspace, 'card.img')
    await writeFile(card, '')
    await truncate(card, 3 * 1024 ** 2)
    const { message } = await failing({
      ...{ board: 'raspi3b', storage: 'usb', sync: 'none', run: 'true' },
      'qemu-args': `-drive if=sd,format=raw,file=${card}`
    })
    expect(message).toEqual(pointsAt('card-size'))
  })

  test('port-taken', async () => {
    const server = createServer()
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    const { message } = await failing({ board: 'virt', sync: 'none', run: 'true', ports: `${port}:80` })
    expect(message).toEqual(pointsAt('port-taken'))
    await new Promise(resolve => server.close(resolve))
  })
})

describe('a script in user mode that fails for a known reason', () => {
  const mini = { mode: 'user', image: 'mini-arm64' }

  test('qemu-user-crash', async () => {
    const { message } = await failing({ ...mini, sync: 'none', run: "sh -c 'kill -SEGV $$'" })
    expect(message).toEqual(pointsAt('qemu-user-crash'))
  })

  test('cpu-model', async () => {
    const { message } = await failing({ ...mini, sync: 'none', run: 'QEMU_CPU=arm1176 /bin/busybox true' })
    expect(message).toEqual(pointsAt('cpu-model'))
  })

  test('loader-missing: a program of the other 32-bit kind', async () => {
    await needsCompilers()
    await crossBuild(job.workspace, 'armel', 'tool', 'int main(void) { return 0; }\n')
    const { message } = await failing({ ...mini, image: 'mini-armhf', run: './tool' })
    expect(message).toEqual(pointsAt('loader-missing'))
  })

  test('readdir-overflow: a 32-bit program without large files, on ext4', async () => {
    await needsCompilers()
    const source = `#include <dirent.h>
#include <errno.h>
#include <stdio.h>
int main(void) {
  DIR *folder = opendir(".");
  errno = 0;
  while (folder != 0 && readdir(folder) != 0) errno = 0;
  if (errno != 0) perror("readdir");
  return errno != 0;
}
`
    await crossBuild(job.workspace, 'armhf', 'tool', source, ['-static'])
    const { message } = await failing({ ...mini, image: 'mini-armhf', run: './tool' })
    expect(message).toEqual(pointsAt('readdir-overflow'))
  })

  test('exec-format', async () => {
    const mips = 8
    await writeFile(join(job.workspace, 'tool'), elfFile({ machine: mips, type: 2 }), { mode: 0o755 })
    const image = await debianImage()
    const { message } = await failing({ mode: 'user', image, run: './tool' })
    expect(message).toEqual(pointsAt('exec-format'))
  })

  test.each([
    ['no-systemd', 'systemctl status ssh'],
    ['shell-dialect', 'sh -c "set -o pipefail"']
  ])('%s', async (id, script) => {
    const image = await debianImage()
    const { message } = await failing({ mode: 'user', image, sync: 'none', run: script })
    expect(message).toEqual(pointsAt(id))
  })

  test('clock: lists of packages from the future', async () => {
    const image = await debianImage()
    const script = `mkdir /tmp/list; cd /tmp/list; : > Packages
hash=$(sha256sum Packages | cut -d' ' -f1)
printf 'Date: %s\\nSHA256:\\n %s 0 Packages\\n' "$(date -u -R -d '+2 days')" "$hash" > Release
echo 'deb [trusted=yes] file:/tmp/list ./' > /etc/apt/sources.list
rm -f /etc/apt/sources.list.d/*
apt-get update`
    const { message } = await failing({ mode: 'user', image, sync: 'none', user: 'root', run: script })
    expect(message).toEqual(pointsAt('clock'))
  })
})

test('a `prepare` that fails for a known reason says it as well', async () => {
  const { message } = await failing({
    ...{ board: 'virt', sync: 'none', run: 'true', cache: 'off', snapshot: 'off' },
    prepare: `frobnicate ${Date.now()}`
  })
  expect(message).toMatch(/^`prepare` ended with status 127/)
  expect(message).toEqual(pointsAt('command-not-found'))
})

test('a server of images whose name nobody knows', async () => {
  const { message, outputs } = await failing({ board: 'virt', run: 'true', image: 'http://pi.invalid/pi.img' })
  expect(outputs['outcome']).toBe('host-failed')
  expect(message).toEqual(pointsAt('host-no-names'))
})
