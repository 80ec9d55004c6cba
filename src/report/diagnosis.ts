/** Something a guest's console says that means it will not come up. */
export interface Symptom {
  readonly pattern: RegExp
  readonly symptom: string
  readonly cause: string
  readonly remedy: string
  /** The line only counts once it has been the console's last for this long (ms): it also passes by in good boots. */
  readonly lingers?: number
}

/** Most telling first: one trouble often leads to a message of the next row. */
export const symptoms: readonly Symptom[] = [
  {
    pattern: /(?:ALERT! +(?:root device )?|Gave up waiting for root)(.*)(?: does not exist|device)/i,
    symptom: 'the guest found no root file system',
    cause: '`root=` on the kernel command line names a partition that the disk does not have, or its driver is missing',
    remedy: 'check `append`, `kernel` and `initrd`: the initramfs has to belong to the kernel'
  },
  {
    pattern: /VFS: (?:Unable to mount root fs|Cannot open root device)/,
    symptom: 'the kernel found no root file system',
    cause:
      '`root=` names a partition that the disk does not have, or the kernel has no driver for the disk and no initramfs',
    remedy: 'check `append`, and give `initrd` if the kernel needs one'
  },
  {
    pattern: /Waiting for root device (\S+?)\.{3}/,
    symptom: 'the kernel waits for a root file system that does not appear',
    cause:
      '`root=` names a partition that the disk does not have, or the kernel has no driver for the disk and no initramfs',
    remedy: 'check `append`, and give `initrd` if the kernel needs one',
    lingers: 20_000
  },
  {
    pattern: /ALERT! cannot mount/,
    symptom: 'the guest cannot mount its root file system',
    cause: 'the file system is damaged, or of a kind the kernel does not know',
    remedy: 'check the image with e2fsck'
  },
  {
    pattern: /No working init found|Requested init \S+ failed|switch_root: can't execute/,
    symptom: 'the guest has no init to start',
    cause: 'the root file system is empty, or its programs are for another architecture',
    remedy: 'check that `image` and `board` belong together'
  },
  {
    pattern:
      /You are in emergency mode|Welcome to emergency mode|Cannot open access to console, the root account is locked/i,
    symptom: 'the guest stopped in emergency mode',
    cause: 'a mount in /etc/fstab failed, or an essential service',
    remedy: 'look for the first “Failed to mount” or “Dependency failed” in the serial log'
  },
  {
    pattern: /^\(initramfs\)/,
    symptom: 'the guest stopped in the initramfs',
    cause: 'it could not prepare or mount the root file system',
    remedy: 'look at the lines before the prompt in the serial log'
  },
  {
    pattern: /no DHCP lease|udhcpc: no lease, failing|No DHCPOFFERS received|dhcpcd.*timed out/i,
    symptom: 'the guest got no network address (no DHCP lease)',
    cause: 'the emulated network device did not answer in time, or `qemu-args` changed the network',
    remedy: 'try again; on a very slow host use `board: virt`, whose network is faster'
  },
  {
    pattern: /no network interface appeared/,
    symptom: 'the guest has no network interface',
    cause: "the kernel has no driver for the board's network device, or the device tree switches USB off",
    remedy: "use the image's own kernel and device tree"
  },
  {
    pattern: /ssh(?:d)?\.service: Failed|Failed to start.*(?:OpenSSH|ssh|Secure Shell)/i,
    symptom: 'the SSH server of the guest did not start',
    cause: 'its configuration is wrong, or openssh-server is damaged',
    remedy: 'look for “sshd” in the serial log'
  },
  {
    pattern: /Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000[\da-f]{2}00/,
    symptom: 'the init of the guest ended, and its kernel panicked',
    cause: 'a program that is run as init must not end; or it could not do its work',
    remedy: 'look at the lines before “Kernel panic” in the serial log; to end a run, let init switch the guest off'
  },
  {
    pattern: /BdsDxe: No bootable option|UEFI Interactive Shell|^Shell> /,
    symptom: 'the UEFI firmware found nothing to start',
    cause: 'the image has no boot loader for this architecture, or it is damaged',
    remedy: 'check that the EFI system partition has EFI/BOOT/BOOTAA64.EFI'
  },
  {
    pattern: /^grub(?: rescue)?>/,
    symptom: 'the boot loader of the guest stopped',
    cause: 'GRUB does not find its configuration, or its file system',
    remedy: 'look at the serial log; the image has to be whole, and boot elsewhere'
  },
  {
    pattern: /Kernel panic - not syncing: (.*)/,
    symptom: 'the kernel of the guest panicked',
    cause: 'kernel, device tree, initramfs or root file system do not fit together',
    remedy: 'look at the lines before “Kernel panic” in the serial log'
  },
  {
    pattern: /PC is at bcm2835_finish_data/,
    symptom: "the driver of the card slot crashed in the guest's kernel",
    cause: 'its interrupts came too late: those of the USB outran the emulation, on a host that is slow or busy',
    remedy: 'use `storage: usb`, or `clock: icount`'
  },
  {
    pattern: /Internal error: |Unable to handle kernel (?:NULL pointer|paging request)/,
    symptom: 'the kernel of the guest crashed',
    cause: 'a driver met hardware that QEMU does not emulate, or a bug of the kernel',
    remedy: 'try another `dtb`, `kernel` or board'
  }
]

/**
 * The first row that any of the lines shows, and the line that showed it.
 * @param quiet how long (ms) the console has been silent since the last of the lines
 */
export function diagnose(
  lines: readonly string[],
  quiet = 0
): { readonly row: Symptom; readonly line: string } | undefined {
  for (const row of symptoms) {
    const candidates = row.lingers === undefined ? lines : quiet >= row.lingers ? lines.slice(-1) : []
    const line = candidates.find(candidate => row.pattern.test(candidate))
    if (line !== undefined) return { row, line }
  }
  return undefined
}
