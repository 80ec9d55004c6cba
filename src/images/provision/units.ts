import type { probedPaths, RootFacts } from '../families'

/**
 * Units that a CI run in an emulator does not need, each with its reason. `boot: fast` masks them on the prepared copy:
 * the kernel's command line has room for 2048 bytes, on 32-bit Arm for 1024.
 */
export const needlessUnits: Readonly<Record<string, string>> = {
  'apt-daily.timer': 'fetches package lists in the background',
  'apt-daily-upgrade.timer': 'upgrades packages under the running script',
  'avahi-daemon.service': 'nobody listens on an emulated network',
  'bluetooth.service': 'no Bluetooth',
  'console-setup.service': 'no console font on a serial line',
  'dev-hugepages.mount': 'no program here asks for huge pages',
  'dpkg-db-backup.timer': 'backs the package database up once a day',
  'dphys-swapfile.service': 'creates a swap file at boot',
  'e2scrub_all.timer': 'no LVM',
  'e2scrub_reap.service': 'no LVM',
  'fake-hwclock-load.service': 'would set the clock back',
  'fstrim.timer': 'the disk lives as long as the run',
  'fwupd-refresh.timer': 'no firmware to update',
  'getty@tty1.service': 'nobody sees the screen',
  'hciuart.service': 'no Bluetooth',
  'keyboard-setup.service': 'no keyboard',
  'logrotate.timer': 'nothing to rotate in one run',
  'man-db.timer': 'indexes manual pages in the background',
  'ModemManager.service': 'no modem',
  // The kernel loads fuse, loop and dm_mod by itself when their device is opened.
  'modprobe@configfs.service': 'loaded with the file system',
  'modprobe@dm_mod.service': 'loaded when it is used',
  'modprobe@drm.service': 'no screen',
  'modprobe@efi_pstore.service': 'no EFI variables for crash dumps',
  'modprobe@fuse.service': 'loaded when it is used',
  'modprobe@loop.service': 'loaded when it is used',
  'motd-news.timer': 'fetches news for people',
  'NetworkManager-wait-online.service': 'SSH does not wait for it',
  'plymouth-start.service': 'no splash screen',
  'rng-tools-debian.service': 'the kernel seeds itself',
  'rpi-eeprom-update.service': 'no EEPROM',
  'snapd.seeded.service': 'installs snaps for minutes, and others wait for it',
  'sys-fs-fuse-connections.mount': 'control files of FUSE, for aborting a hung mount',
  'sys-kernel-config.mount': 'for USB gadgets and other devices that QEMU does not have',
  'sys-kernel-tracing.mount': 'also below the debug file system',
  'systemd-journal-flush.service': 'the journal stays in memory: the disk lives no longer',
  'systemd-networkd-wait-online.service': 'SSH does not wait for it',
  'systemd-random-seed.service': "the image's seed is the same in each run; the kernel gets a fresh one",
  'systemd-rfkill.socket': 'no radio',
  'systemd-sysusers.service': 'the packages made their users when they were installed',
  'systemd-timesyncd.service': 'the host sets the clock',
  'systemd-update-utmp-runlevel.service': 'nobody asks for the runlevel',
  'systemd-update-utmp.service': 'a note for `last` and `who -b`',
  'triggerhappy.service': 'no buttons',
  'udisks2.service': 'no disks to plug in',
  'unattended-upgrades.service': 'upgrades packages under the running script',
  'wpa_supplicant.service': 'no wireless network'
}

/** Units of the first boot: they ask questions, repartition, make new host keys, or reboot. */
export const firstBootUnits: Readonly<Record<string, string>> = {
  'apply_noobs_os_config.service': 'configures the system for an installer that was not used',
  'cloud-init.service': 'configures the system again',
  'cloud-init-local.service': 'configures the network again',
  'cloud-init-main.service': 'configures the system again',
  'cloud-init-network.service': 'configures the system again',
  'cloud-config.service': 'configures the system again',
  'cloud-final.service': 'configures the system again',
  'regenerate_ssh_host_keys.service': 'would replace the host keys',
  'resize2fs_once.service': 'would grow the file system',
  'rpi-resize.service': 'would grow the file system',
  'sshswitch.service': 'SSH is switched on already',
  'systemd-firstboot.service': 'asks questions on the console',
  'userconfig.service': 'asks questions on the console'
}

/**
 * Kernel modules that devices or programs ask for and that find nothing to drive in QEMU, each with its reason. They are
 * not loaded by alias; `modprobe NAME` still loads them.
 */
export const needlessModules: Readonly<Record<string, string>> = {
  bluetooth: 'no Bluetooth',
  brcmfmac: 'no Wi-Fi chip',
  cfg80211: 'no Wi-Fi; it checks X.509 certificates, and systemd-networkd waits for it',
  hci_uart: 'no Bluetooth chip; it is asked for, and asked again',
  leds_gpio: 'the LEDs are behind firmware that QEMU lacks: its probe fails',
  raspberrypi_cpufreq: 'no clock to change: its probe fails'
}

/**
 * Programs that systemd starts before any unit, all at once, to see whether they have units to add, each with the reason
 * why not. On an emulated CPU each takes a good tenth of a second.
 * @see systemd.generator(7)
 */
export const needlessGenerators: readonly {
  readonly name: string
  readonly why: string
  /** The image is different where this exists. */
  readonly unless?: (typeof probedPaths)[number]
}[] = [
  { name: 'systemd-bless-boot-generator', why: 'counts boots for systemd-boot' },
  { name: 'systemd-cryptsetup-generator', why: 'no encrypted disks', unless: '/etc/crypttab' },
  { name: 'systemd-gpt-auto-generator', why: 'a card has no GPT, and fstab says what to mount' },
  { name: 'systemd-hibernate-resume-generator', why: 'nothing was hibernated' },
  { name: 'systemd-integritysetup-generator', why: 'no dm-integrity disks', unless: '/etc/integritytab' },
  { name: 'systemd-rc-local-generator', why: 'no rc.local', unless: '/etc/rc.local' },
  { name: 'systemd-system-update-generator', why: 'no offline update is waiting' },
  { name: 'systemd-veritysetup-generator', why: 'no dm-verity disks', unless: '/etc/veritytab' }
]

/** Those of a list that an image has; of a unit with an instance it has the template. */
export function present(units: Iterable<string>, { units: existing }: Pick<RootFacts, 'units'>): readonly string[] {
  return [...units].filter(unit => existing.has(unit) || existing.has(unit.replace(/@[^.]+\./, '@.')))
}

/** The wizard on the console: unattended only where userconf.txt answers it. */
export const wizardUnit = 'userconfig.service'
