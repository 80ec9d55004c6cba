import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { cli } from '../kit/cli'
import { miniImage } from '../kit/mini-image'
import { run } from '../kit/run'
import { uefiImage } from '../kit/uefi-image'

// The first test on a machine makes Debian's parts.
jest.setTimeout(900_000)

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-uefi-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const uefi = ['run', '--board', 'virt', '--firmware', 'uefi'] as const

test('a generic disk image starts by its own boot loader and kernel; its saved disk is as free of us as it was', async () => {
  await run('mke2fs', ['-q', '-t', 'ext4', join(folder, 'more.img'), '16M'])
  const script = `
    cat /proc/cmdline
    ls -d /sys/firmware/efi/efivars
    systemctl is-enabled apt-daily.timer || :
    systemctl is-system-running --wait || systemctl --failed --no-legend
    ls /dev/disk/by-id
    sudo ls /boot/efi/EFI
    echo mine | sudo tee /root/mark
    exit 7`
  const { code, stdout, stderr } = await cli(
    [...uefi, '--image', await uefiImage(), '--disks', 'more.img', '--save-image', 'saved.img', '--run', script],
    { cwd: folder }
  )
  expect([code, stderr]).toEqual([7, expect.stringContaining('ended with status 7')])
  // The image's own command line; nothing of ours is on it.
  expect(stdout).toMatch(/^BOOT_IMAGE=\/boot\/vmlinuz-\S+ root=LABEL=cloudimg-rootfs ro console=tty1 console=ttyAMA0$/m)
  expect(stdout).toMatch(/^\/sys\/firmware\/efi\/efivars$/m)
  expect(stdout).toMatch(/^masked$/m)
  expect(stdout).toMatch(/^running$/m)
  expect(stdout).toMatch(/^virtio-extra0$/m)
  expect(stdout).toMatch(/^BOOT\ndebian$/m)

  const saved = join(folder, 'saved.img')
  expect(await run('sfdisk', ['--verify', saved])).toContain('No errors detected')
  // The root file system starts at 64 MiB.
  const look = (request: string): Promise<string> =>
    run('debugfs', ['-R', request, `${saved}?offset=${64 * 1024 * 1024}`])
  expect(await look('cat /root/mark')).toBe('mine\n')
  for (const path of ['/etc/systemd/system.control', '/etc/pi-qemu'])
    expect((await look(`ls -p ${path}`)).match(/\/[^/]+\/\d*\/$/gm)).toEqual(['/.//', '/..//'])
})

test('an image without a boot loader for UEFI is refused, and says what is missing', async () => {
  const { code, stderr } = await cli([...uefi, '--sync', 'none', '--image', await miniImage(), '--run', 'true'])
  expect([code, stderr]).toEqual([125, expect.stringMatching(/has no EFI\/BOOT\/BOOTAA64\.EFI/)])
})

test('what UEFI leaves to the image cannot be chosen as well', async () => {
  const { code, stderr } = await cli([...uefi, '--append', 'quiet', '--run', 'true'])
  expect([code, stderr]).toEqual([125, expect.stringMatching(/`firmware` and `append` do not go together/)])
})
