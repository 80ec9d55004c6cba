// The image that all figures are about: the test kit's Debian 12, shaped like a Raspberry Pi OS card.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import './typescript.mjs'
import { run } from './host.mjs'

const { debianImage } = await import('../../__tests__/kit/debian-image.ts')
const { Ext4 } = await import('../../src/images/ext4.ts')

/** Path of the raw image; lets nobody in. Made by the kit the first time, in some minutes. Never write to it. */
export const image = session => session.oncePerSession('image', () => (session.say('Debian 12 image'), debianImage()))

/** Path of the same as its vendor would publish it: pi-gen packs with xz at its default level. Kept beside the image. */
export function packedImage(session) {
  return session.oncePerSession('packed image', async () => {
    const raw = await image(session)
    const packed = `${raw}.default.xz`
    if (existsSync(packed)) return packed
    session.say('Packing it with xz')
    await run('sh', ['-c', 'xz -T0 -c -- "$1" > "$2"', 'sh', raw, `${packed}.part`])
    await rename(`${packed}.part`, packed)
    return packed
  })
}

/** Size of the copy that a person boots (MiB): QEMU wants a power of two for an SD card. */
const cardMiB = 1024

/**
 * The image as a person would make it ready by hand, offline: an authorized key, a host key, sshd and a network switched
 * on; nothing masked. Returns it with the key, and the files that QEMU is given from its boot partition.
 */
export function handImage(session) {
  return session.oncePerSession('image by hand', async () => {
    const folder = session.path('by-hand')
    await mkdir(folder)
    const [disk, key, hostKey] = ['card.img', 'key', 'host-key'].map(name => join(folder, name))
    await run('cp', ['--sparse=always', await image(session), disk])
    const { partitiontable } = JSON.parse(await run('sfdisk', ['--json', disk]))
    const [boot, root] = partitiontable.partitions.map(({ start }) => start * 512)
    await run('truncate', ['-s', `${cardMiB}M`, disk])
    for (const file of [key, hostKey]) await run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', file])
    const file = (path, content, mode) => ({ kind: 'file', path, content, mode })
    const enable = unit => ({
      ...{ kind: 'symlink', path: `/etc/systemd/system/multi-user.target.wants/${unit}` },
      target: `/lib/systemd/system/${unit}`
    })
    const edits = [
      { kind: 'folder', path: '/root/.ssh', mode: 0o700 },
      file('/root/.ssh/authorized_keys', await readFile(`${key}.pub`, 'utf8'), 0o600),
      file('/etc/ssh/ssh_host_ed25519_key', await readFile(hostKey, 'utf8'), 0o600),
      file('/etc/systemd/network/wired.network', '[Match]\nName=e* usb*\n\n[Network]\nDHCP=ipv4\n', 0o644),
      ...[enable('ssh.service'), enable('systemd-networkd.service')]
    ]
    await new Ext4(disk, root).apply(edits, folder)
    const names = { kernel: 'kernel8.img', initrd: 'initramfs8', dtb: 'bcm2837-rpi-3-b.dtb' }
    const env = { ...process.env, MTOOLS_SKIP_CHECK: '1' }
    const sources = Object.values(names).map(name => `::${name}`)
    await run('mcopy', ['-n', '-i', `${disk}@@${boot}`, ...sources, folder], { env })
    const files = Object.fromEntries(Object.entries(names).map(([option, name]) => [option, join(folder, name)]))
    return { disk, key, files, folder }
  })
}
