import type { PreparedImage } from '../../src/images'
import type { RootFacts } from '../../src/images/families'
import { parseInputs, type Inputs } from '../../src/inputs'

/** What the inputs are when the user wrote nothing, in a workspace that need not exist. */
export const defaultInputs: Inputs = parseInputs({}, { env: {}, workspace: '/work/project' })

/** A prepared Raspberry Pi OS, with the boot files of both of its kernels' worlds left out as a test wishes. */
export function preparedImage(changes: Partial<PreparedImage> = {}): PreparedImage {
  return {
    family: 'raspios',
    title: 'Debian GNU/Linux 12 (bookworm)',
    architecture: 'arm64',
    users: { root: { uid: 0, gid: 0, home: '/root' }, pi: { uid: 1000, gid: 1000, home: '/home/pi' } },
    id: '0123456789abcdef',
    folder: '/cache/images/0123',
    disk: '/cache/images/0123/disk.img',
    diskSize: 2_600_468_480,
    layout: {
      boot: { number: 1, offset: 4_194_304, size: 268_435_456, type: 'c', partuuid: '4e639091-01' },
      root: { number: 2, offset: 272_629_760, size: 2_327_838_720, type: '83', partuuid: '4e639091-02' }
    },
    bootFiles: {
      names: ['kernel8.img', 'initramfs8', 'bcm2710-rpi-3-b.dtb', 'bcm2710-rpi-3-b-plus.dtb', 'cmdline.txt'],
      overlays: ['disable-bt', 'miniuart-bt'],
      kernelReleases: { 'kernel8.img': '6.6.31+rpt-rpi-v8' }
    },
    kernelArguments: ['fsck.mode=skip'],
    slots: [],
    created: [],
    replaced: [],
    ...changes
  }
}

/** What a freshly unpacked Raspberry Pi OS bookworm says about itself. */
export function rootFacts(changes: Partial<RootFacts> = {}): RootFacts {
  return {
    family: 'raspios',
    title: 'Debian GNU/Linux 12 (bookworm)',
    architecture: 'arm64',
    users: preparedImage().users,
    units: new Set(['ssh.service', 'NetworkManager.service', 'systemd-networkd.service']),
    paths: new Set(['/etc/sudoers.d', '/etc/resolv.conf', '/etc/ssh/sshd_config.d']),
    sshDropIns: true,
    sshConfig: 'Include /etc/ssh/sshd_config.d/*.conf\nX11Forwarding yes\n',
    ...changes
  }
}
