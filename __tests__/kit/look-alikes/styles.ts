import {
  firstboot,
  initResize,
  regenerateKeys,
  regenerateUnit,
  resizeOnce,
  rpiResizeUnit,
  sshswitchUnit,
  userconfigUnit,
  userconfService
} from './scripts'

/** How the look-alike of one release differs from the base. */
export interface Style {
  readonly diskId: string
  readonly bootStartMiB: number
  readonly bootMiB: number
  /** What follows `root=… rootfstype=ext4 fsck.repair=yes rootwait` in cmdline.txt. */
  readonly firstBoot: string
  readonly bootMount: string
  /** Whether the initramfs acts on `resize`. */
  readonly resizes: boolean
  /** Text files of the root file system, by path, with their mode. */
  readonly files: Readonly<Record<string, readonly [content: string, mode: number]>>
  /** Units to switch on: the target, and the unit. */
  readonly enabled: readonly (readonly [target: string, unit: string])[]
  /** Text files of the boot partition. */
  readonly bootFiles: Readonly<Record<string, string>>
  /** Login shell of `pi`. */
  readonly shell: string
}

export const rootMiB = 1024

const osRelease = (version: string, codename: string): string =>
  [
    `PRETTY_NAME="Debian GNU/Linux ${version} (${codename})"`,
    'NAME="Debian GNU/Linux"',
    `VERSION_ID="${version}"`,
    `VERSION="${version} (${codename})"`,
    `VERSION_CODENAME=${codename}`,
    'ID=debian',
    'HOME_URL="https://www.debian.org/"',
    'SUPPORT_URL="https://www.debian.org/support"',
    'BUG_REPORT_URL="https://bugs.debian.org/"',
    ''
  ].join('\n')

const issue = (date: string): string =>
  `Raspberry Pi reference ${date}\nGenerated using pi-gen, https://github.com/RPi-Distro/pi-gen, ${'0'.repeat(40)}, stage2\n`

/** What all three have. */
const common = (bootMount: string): Style['files'] => ({
  '/usr/lib/raspberrypi-sys-mods/regenerate_ssh_host_keys': [regenerateKeys, 0o755],
  '/lib/systemd/system/regenerate_ssh_host_keys.service': [regenerateUnit, 0o644],
  '/lib/systemd/system/sshswitch.service': [sshswitchUnit(bootMount), 0o644],
  '/usr/lib/userconf-pi/userconf-service': [userconfService(bootMount), 0o755],
  '/lib/systemd/system/userconfig.service': [userconfigUnit, 0o644],
  '/etc/hostname': ['raspberrypi\n', 0o644],
  '/etc/hosts': [
    '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n\n127.0.1.1\t\traspberrypi\n',
    0o644
  ]
})

const on = (...units: readonly string[]): Style['enabled'] => units.map(unit => ['multi-user.target', unit] as const)

export const styles = {
  bullseye: {
    diskId: '4e639091',
    bootStartMiB: 4,
    bootMiB: 256,
    firstBoot: 'quiet init=/usr/lib/raspi-config/init_resize.sh',
    bootMount: '/boot',
    resizes: false,
    files: {
      ...common('/boot'),
      '/usr/lib/os-release': [osRelease('11', 'bullseye'), 0o644],
      '/etc/rpi-issue': [issue('2025-05-06'), 0o644],
      '/usr/lib/raspi-config/init_resize.sh': [initResize, 0o755],
      '/etc/init.d/resize2fs_once': [resizeOnce, 0o755],
      '/etc/sudoers.d/010_pi-nopasswd': ['pi ALL=(ALL) NOPASSWD: ALL\n', 0o440]
    },
    enabled: [
      ...on('dhcpcd.service', 'regenerate_ssh_host_keys.service', 'sshswitch.service', 'userconfig.service'),
      ['rc3.d', 'resize2fs_once']
    ],
    bootFiles: {},
    shell: '/bin/bash'
  },
  bookworm: {
    diskId: '5f3759df',
    bootStartMiB: 8,
    bootMiB: 512,
    firstBoot: 'quiet init=/usr/lib/raspberrypi-sys-mods/firstboot',
    bootMount: '/boot/firmware',
    resizes: false,
    files: {
      ...common('/boot/firmware'),
      '/usr/lib/os-release': [osRelease('12', 'bookworm'), 0o644],
      '/etc/rpi-issue': [issue('2026-04-13'), 0o644],
      '/usr/lib/raspberrypi-sys-mods/firstboot': [firstboot, 0o755]
    },
    enabled: on(
      'NetworkManager.service',
      'regenerate_ssh_host_keys.service',
      'sshswitch.service',
      'userconfig.service'
    ),
    bootFiles: {},
    // As in the images of 2026-04-13.
    shell: '/usr/sbin/nologin'
  },
  trixie: {
    diskId: '6c078965',
    bootStartMiB: 8,
    bootMiB: 512,
    firstBoot: 'resize',
    bootMount: '/boot/firmware',
    resizes: true,
    files: {
      ...common('/boot/firmware'),
      '/usr/lib/os-release': [osRelease('13', 'trixie'), 0o644],
      '/etc/rpi-issue': [issue('2026-10-06'), 0o644],
      '/lib/systemd/system/rpi-resize.service': [rpiResizeUnit, 0o644],
      '/etc/cloud/cloud.cfg.d/99_raspberry-pi.cfg': [
        'datasource_list: [NoCloud, None]\ndatasource: {NoCloud: {seedfrom: "file:///boot/firmware/"}}\n' +
          'ssh_deletekeys: false\nssh_genkeytypes: []\n',
        0o644
      ],
      '/etc/systemd/system/cloud-init-local.service.d/boot.conf': ['[Unit]\nRequiresMountsFor=/boot/firmware\n', 0o644],
      '/usr/lib/netplan/00-network-manager-all.yaml': ['network:\n  version: 2\n  renderer: NetworkManager\n', 0o600]
    },
    enabled: [
      ...on('NetworkManager.service', 'regenerate_ssh_host_keys.service', 'sshswitch.service', 'userconfig.service'),
      ['sysinit.target', 'rpi-resize.service'],
      ...['cloud-init-local', 'cloud-init', 'cloud-config', 'cloud-final'].map(
        name => ['cloud-init.target', `${name}.service`] as const
      )
    ],
    bootFiles: {
      'meta-data': 'dsmode: local\ninstance_id: rpi-imager-look-alike\n',
      'user-data': '#cloud-config\n# Nothing is asked for.\n',
      'network-config': '# Nothing is asked for.\n'
    },
    shell: '/usr/sbin/nologin'
  }
} as const satisfies Readonly<Record<string, Style>>

export type StyleName = keyof typeof styles
