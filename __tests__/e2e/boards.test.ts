import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { boards, boardsFor, architectures, type Architecture, type BoardName } from '../../src/boards'
import { miniImage } from '../kit/mini-image'
import { RunnerJob } from '../kit/runner'
import { run } from '../kit/run'
import { versatileKernel } from '../kit/versatile-kernel'

jest.setTimeout(900_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const script = `tr -d '\\0' < /proc/device-tree/model; echo
echo "machine=$(uname -m) cpus=$(nproc) memory=$(awk '/MemTotal/ { print int($2 / 1024) }' /proc/meminfo)"
echo "screen=$(cat /sys/class/graphics/fb0/virtual_size 2>/dev/null)"
cat from-host > from-guest`

const models: Readonly<Record<BoardName, string>> = {
  raspi0: 'Raspberry Pi Zero',
  raspi1ap: 'Raspberry Pi Model A+',
  raspi2b: 'Raspberry Pi 2 Model B',
  raspi3ap: 'Raspberry Pi 3 Model A+',
  raspi3b: 'Raspberry Pi 3 Model B',
  raspi4b: 'Raspberry Pi 4 Model B',
  virt: 'linux,dummy-virt',
  versatilepb: ''
}

/** What `uname -m` says; 32-bit systems run on a 64-bit kernel where the board starts no other. */
function machineOf(board: BoardName, architecture: Architecture): string {
  const [kernel] = boards[board].architectures[architecture]?.kernels ?? []
  return { 'kernel8.img': 'aarch64', 'kernel7.img': 'armv7l', 'kernel.img': 'armv6l' }[kernel ?? ''] ?? ''
}

/** mini-armhf has Debian's kernels, none of which is for ARMv6. */
const combinations = architectures.flatMap(architecture =>
  boardsFor(architecture)
    .filter(board => !(architecture === 'armhf' && boards[board].soc === 'ARM1176'))
    .map(board => [board, architecture] as const)
)

test.each(combinations)('%s runs mini-%s', async (board, architecture) => {
  await writeFile(join(job.workspace, 'from-host'), 'x')
  const step = job.step({ image: `mini-${architecture}`, board, run: script })
  const { code, stdout, outputs, log } = await step.main()
  expect(log).not.toMatch(/::error/)
  expect(code).toBe(0)
  expect(outputs).toMatchObject({ outcome: 'success', board })
  expect(stdout).toContain(`${models[board]}\n`)
  const { cpus, memoryMiB } = boards[board]
  const [, machine, nproc, memory] = /machine=(\S+) cpus=(\d+) memory=(\d+)/.exec(stdout) ?? []
  expect([machine, nproc]).toEqual([machineOf(board, architecture), String(cpus)])
  // As firmware would have told the kernel.
  expect(stdout).toMatch(board === 'virt' ? /^screen=$/m : /^screen=640,480$/m)
  // The kernel keeps some for itself, and the GPU has its share.
  expect(Number(memory)).toBeGreaterThan(memoryMiB * 0.75)
  expect(Number(memory)).toBeLessThanOrEqual(memoryMiB)
  await step.post()
})

test('virt has the CPU, the memory and the number of CPUs that were asked for', async () => {
  const step = job.step({
    ...{ image: 'mini-arm64', board: 'virt', cpu: 'cortex-a53', memory: '1536', cpus: '3', sync: 'none' },
    run: `${script.replace(/^cat .*$/m, '')}\ngrep 'CPU part' /proc/cpuinfo`
  })
  const { stdout } = await step.main()
  expect(stdout).toMatch(/cpus=3 memory=1[345]\d\d$/m)
  // Cortex-A53's part number in MIDR_EL1.
  expect(stdout.match(/CPU part\s*: 0xd03/g)).toHaveLength(3)
  await step.post()
})

/** Building its kernel takes minutes, and no distribution has one any more: PI_QEMU_TEST_VERSATILE=1 asks for it. */
const versatileTest = process.env['PI_QEMU_TEST_VERSATILE'] === '1' ? test : test.skip

versatileTest(
  "versatilepb runs mini-armel on the user's kernel",
  async () => {
    const folder = await versatileKernel()
    await writeFile(join(job.workspace, 'from-host'), 'x')
    const files = { kernel: join(folder, 'zImage'), dtb: join(folder, 'versatile-pb.dtb') }
    const step = job.step({ image: 'mini-armel', board: 'versatilepb', ...files, run: script })
    const { code, stdout } = await step.main()
    expect(code).toBe(0)
    expect(stdout).toContain('ARM Versatile PB\n')
    expect(stdout).toMatch(/machine=armv6l cpus=1 memory=2[34]\d$/m)
    expect(await readFile(join(job.workspace, 'from-guest'), 'utf8')).toBe('x')
    await step.post()
  },
  1_800_000
)

describe("files in place of the image's own", () => {
  test('kernel, initramfs, device tree and kernel arguments', async () => {
    const boot = join(job.workspace, 'boot')
    await run('mkdir', [boot])
    const files = ['kernel8.img', 'initramfs8', 'bcm2837-rpi-3-b-plus.dtb']
    await run('mcopy', ['-i', `${await miniImage()}@@4M`, ...files.map(name => `::${name}`), boot])
    const step = job.step({
      ...{ image: await miniImage(), board: 'raspi3b', sync: 'none', append: 'answer=42' },
      ...{ kernel: 'boot/kernel8.img', initrd: 'boot/initramfs8', dtb: 'boot/bcm2837-rpi-3-b-plus.dtb' },
      run: 'tr -d "\\0" < /proc/device-tree/model; echo; cat /proc/cmdline'
    })
    const { code, stdout } = await step.main()
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Raspberry Pi 3 Model B\+\n.* answer=42$/m)
    await step.post()
  })

  test('overlays: of the image, by name, and of the user, as files', async () => {
    const overlay = async (name: string, property: string): Promise<string> => {
      const source = join(job.workspace, `${name}.dts`)
      await writeFile(
        source,
        `/dts-v1/; /plugin/; / { fragment@0 { target-path = "/"; __overlay__ { ${property} = "seen"; }; }; };`
      )
      const blob = join(job.workspace, `${name}.dtbo`)
      await run('dtc', ['-q', '-I', 'dts', '-O', 'dtb', '-o', blob, source])
      return blob
    }
    const image = join(job.workspace, 'pi.img')
    await run('cp', ['--sparse=always', await miniImage(), image])
    await run('mmd', ['-i', `${image}@@4M`, '::overlays'])
    await run('mcopy', ['-i', `${image}@@4M`, await overlay('ours', 'pi-image'), '::overlays/'])
    await overlay('mine', 'pi-user')
    const step = job.step({
      ...{ image, board: 'raspi3b', sync: 'none', overlays: 'ours\nmine.dtbo' },
      run: 'cd /proc/device-tree; tr "\\0" "\\n" < pi-image; tr "\\0" "\\n" < pi-user'
    })
    const { code, stdout, log } = await step.main()
    expect(log).toContain('Device tree: with ours.dtbo, mine.dtbo')
    expect(code).toBe(0)
    expect(stdout).toContain('seen\nseen\n')
    await step.post()
  })

  test('an overlay that does not fit is one clear error', async () => {
    const source = join(job.workspace, 'x.dts')
    await writeFile(source, '/dts-v1/; /plugin/; &no_such_label { status = "okay"; };')
    await run('dtc', ['-q', '-@', '-I', 'dts', '-O', 'dtb', '-o', join(job.workspace, 'x.dtbo'), source])
    const step = job.step({ image: 'mini-arm64', board: 'raspi3b', sync: 'none', overlays: './x.dtbo', run: 'true' })
    const { outputs, log } = await step.main()
    expect(outputs['outcome']).toBe('host-failed')
    expect(log).toMatch(/::error.*the overlays x\.dtbo cannot be applied to bcm2837-rpi-3-b\.dtb/)
    expect(log).toMatch(/without symbols/)
    await step.post()
  })
})

describe('what cannot work is said before anything is fetched or built', () => {
  test.each([
    ['a 64-bit image on a 32-bit board', { image: 'mini-arm64', board: 'raspi2b' }, /`board` is “raspi2b”.*raspi3b/],
    ['another CPU on a Pi', { board: 'raspi3b', cpu: 'max' }, /`cpu` does not go with board `raspi3b`/],
    ['more memory on a Pi', { image: 'mini-armel', board: 'raspi0', memory: '1G' }, /has 512 MiB/],
    ['versatilepb without a kernel', { image: 'mini-armel', board: 'versatilepb' }, /needs `kernel`/]
  ])('%s', async (_, inputs, message) => {
    const step = job.step(inputs)
    const { outputs, log } = await step.main()
    expect(outputs['outcome']).toBe('bad-input')
    expect(log).toMatch(message)
    expect(log).not.toMatch(/Tools of the host|Image in place/)
    await step.post()
  })
})
