/**
 * Units that a CI run in an emulator never needs, each with its reason. They are masked on the kernel command line,
 * so the disk keeps them.
 */
export const needlessUnits: Readonly<Record<string, string>> = {
  'apt-daily.timer': 'fetches package lists in the background',
  'apt-daily-upgrade.timer': 'upgrades packages under the running script',
  'avahi-daemon.service': 'nobody listens on an emulated network',
  'bluetooth.service': 'no Bluetooth',
  'console-setup.service': 'no console font on a serial line',
  'dphys-swapfile.service': 'creates a swap file at boot',
  'e2scrub_reap.service': 'no LVM',
  'fake-hwclock-load.service': 'would set the clock back',
  'fwupd-refresh.timer': 'no firmware to update',
  'hciuart.service': 'no Bluetooth',
  'keyboard-setup.service': 'no keyboard',
  'logrotate.timer': 'nothing to rotate in one run',
  'man-db.timer': 'indexes manual pages in the background',
  'ModemManager.service': 'no modem',
  'motd-news.timer': 'fetches news for people',
  'NetworkManager-wait-online.service': 'SSH does not wait for it',
  'plymouth-start.service': 'no splash screen',
  'rng-tools-debian.service': 'the kernel seeds itself',
  'rpi-eeprom-update.service': 'no EEPROM',
  'snapd.seeded.service': 'installs snaps for minutes, and others wait for it',
  'systemd-networkd-wait-online.service': 'SSH does not wait for it',
  'systemd-timesyncd.service': 'the host sets the clock',
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

/** The wizard on the console: unattended only where userconf.txt answers it. */
export const wizardUnit = 'userconfig.service'
