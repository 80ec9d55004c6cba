import type { Symptom } from './types'

/**
 * What a guest's console says that means it will not come up; a boot that shows it is ended. Most telling first: one trouble often leads
 * to a message of the next row.
 */
export const consoleSymptoms: readonly Symptom[] = [
  {
    id: 'no-root',
    shows: '`ALERT! root device … does not exist`, `Gave up waiting for root … device`',
    pattern: /(?:ALERT! +(?:root device )?|Gave up waiting for root)(.*)(?: does not exist|device)/i,
    symptom: 'the guest found no root file system',
    cause: '`root=` on the kernel command line names a partition that the disk does not have, or its driver is missing',
    remedy: 'check `append`, `kernel` and `initrd`: the initramfs has to belong to the kernel'
  },
  {
    id: 'kernel-no-root',
    shows: '`VFS: Unable to mount root fs`, `VFS: Cannot open root device`',
    pattern: /VFS: (?:Unable to mount root fs|Cannot open root device)/,
    symptom: 'the kernel found no root file system',
    cause:
      '`root=` names a partition that the disk does not have, or the kernel has no driver for the disk and no initramfs',
    remedy: 'check `append`, and give `initrd` if the kernel needs one'
  },
  {
    id: 'waits-for-root',
    shows: '`Waiting for root device …`, and nothing more for 20 s',
    pattern: /Waiting for root device (\S+?)\.{3}/,
    symptom: 'the kernel waits for a root file system that does not appear',
    cause:
      '`root=` names a partition that the disk does not have, or the kernel has no driver for the disk and no initramfs',
    remedy: 'check `append`, and give `initrd` if the kernel needs one',
    lingers: 20_000
  },
  {
    id: 'cannot-mount-root',
    shows: '`ALERT! cannot mount`',
    pattern: /ALERT! cannot mount/,
    symptom: 'the guest cannot mount its root file system',
    cause: 'the file system is damaged, or of a kind the kernel does not know',
    remedy: 'check the image with e2fsck'
  },
  {
    id: 'no-init',
    shows: '`No working init found`, `Requested init … failed`',
    pattern: /No working init found|Requested init \S+ failed|switch_root: can't execute/,
    symptom: 'the guest has no init to start',
    cause: 'the root file system is empty, or its programs are for another architecture',
    remedy: 'check that `image` and `board` belong together'
  },
  {
    id: 'emergency-mode',
    shows: '`You are in emergency mode`',
    pattern:
      /You are in emergency mode|Welcome to emergency mode|Cannot open access to console, the root account is locked/i,
    symptom: 'the guest stopped in emergency mode',
    cause: 'a mount in /etc/fstab failed, or an essential service',
    remedy: 'look for the first “Failed to mount” or “Dependency failed” in the serial log'
  },
  {
    id: 'initramfs-prompt',
    shows: 'the prompt `(initramfs)`',
    pattern: /^\(initramfs\)/,
    symptom: 'the guest stopped in the initramfs',
    cause: 'it could not prepare or mount the root file system',
    remedy: 'look at the lines before the prompt in the serial log'
  },
  {
    id: 'no-lease',
    shows: '`no DHCP lease`, `No DHCPOFFERS received`',
    pattern: /no DHCP lease|udhcpc: no lease, failing|No DHCPOFFERS received|dhcpcd.*timed out/i,
    symptom: 'the guest got no network address (no DHCP lease)',
    cause: 'the emulated network device did not answer in time, or `qemu-args` changed the network',
    remedy: 'try again; on a very slow host use `board: virt`, whose network is faster'
  },
  {
    id: 'no-network-device',
    shows: '`no network interface appeared`',
    pattern: /no network interface appeared/,
    symptom: 'the guest has no network interface',
    cause: "the kernel has no driver for the board's network device, or the device tree switches USB off",
    remedy: "use the image's own kernel and device tree"
  },
  {
    id: 'ssh-failed',
    shows: '`ssh.service: Failed`, `Failed to start … OpenSSH`',
    pattern: /ssh(?:d)?\.service: Failed|Failed to start.*(?:OpenSSH|ssh|Secure Shell)/i,
    symptom: 'the SSH server of the guest did not start',
    cause: 'its configuration is wrong, or openssh-server is damaged',
    remedy: 'look for “sshd” in the serial log'
  },
  {
    id: 'init-ended',
    shows: '`Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000…00`',
    pattern: /Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000[\da-f]{2}00/,
    symptom: 'the init of the guest ended, and its kernel panicked',
    cause: 'a program that is run as init must not end; or it could not do its work',
    remedy: 'look at the lines before “Kernel panic” in the serial log; to end a run, let init switch the guest off'
  },
  {
    id: 'nothing-to-start',
    shows: '`BdsDxe: No bootable option`, `UEFI Interactive Shell`',
    pattern: /BdsDxe: No bootable option|UEFI Interactive Shell|^Shell> /,
    symptom: 'the UEFI firmware found nothing to start',
    cause: 'the image has no boot loader for this architecture, or it is damaged',
    remedy: 'check that the EFI system partition has EFI/BOOT/BOOTAA64.EFI'
  },
  {
    id: 'boot-loader-stopped',
    shows: 'the prompt `grub>`, `grub rescue>`',
    pattern: /^grub(?: rescue)?>/,
    symptom: 'the boot loader of the guest stopped',
    cause: 'GRUB does not find its configuration, or its file system',
    remedy: 'look at the serial log; the image has to be whole, and boot elsewhere'
  },
  {
    id: 'kernel-panic',
    shows: '`Kernel panic - not syncing`',
    pattern: /Kernel panic - not syncing: (.*)/,
    symptom: 'the kernel of the guest panicked',
    cause: 'kernel, device tree, initramfs or root file system do not fit together',
    remedy: 'look at the lines before “Kernel panic” in the serial log'
  },
  {
    id: 'card-slot-crash',
    shows: '`PC is at bcm2835_finish_data`',
    pattern: /PC is at bcm2835_finish_data/,
    symptom: "the driver of the card slot crashed in the guest's kernel",
    cause: 'its interrupts came too late: those of the USB outran the emulation, on a host that is slow or busy',
    remedy: 'use `storage: usb`, or `clock: icount`'
  },
  {
    id: 'kernel-crash',
    shows: '`Internal error: …`, `Unable to handle kernel …`',
    pattern: /Internal error: |Unable to handle kernel (?:NULL pointer|paging request)/,
    symptom: 'the kernel of the guest crashed',
    cause: 'a driver met hardware that QEMU does not emulate, or a bug of the kernel',
    remedy: 'try another `dtb`, `kernel` or board'
  }
]

/** What a console shows of a guest that is late; it passes by in good boots, too, on a slow host. */
export const lateSymptoms: readonly Symptom[] = [
  {
    id: 'start-job',
    shows: '`A start job is running for …`',
    pattern: /A (?:start|stop) job is running for (.+)/,
    symptom: 'a unit of the guest does not get ready',
    cause: 'systemd waits for it: often a device or a network that the emulated board does not have',
    remedy: 'mask it: `append: systemd.mask=NAME.service`, or `files` with a drop-in'
  },
  {
    id: 'card-slot-late',
    shows: '`sdhost…: timeout waiting for hardware interrupt`',
    pattern: /(?:mmc|sdhost|sdhci)\S*: [Tt]imeout waiting for hardware interrupt/,
    symptom: 'the card slot of the emulated board does not keep up',
    cause: 'the interrupts of the USB outran the emulation, on a host that is slow or busy',
    remedy: 'use `storage: usb`, or `clock: icount`'
  },
  {
    id: 'cpu-stall',
    shows: '`rcu: INFO: … detected stalls`, `watchdog: BUG: soft lockup`',
    pattern: /rcu: INFO: .*stall|BUG: soft lockup|self-detected stall/,
    symptom: 'a CPU of the guest stood still for long',
    cause: 'the host has too little CPU time for the emulation: other work runs on it, or it is slow',
    remedy: 'use `clock: icount`, whose time waits for the guest; or `board: virt`, which needs less'
  }
]
