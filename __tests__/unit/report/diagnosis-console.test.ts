import { diagnose, symptoms } from '../../../src/report/diagnosis'

/** What the diagnosis says about a console that shows these lines. */
const verdict = (...lines: readonly string[]): string | undefined => diagnose(lines)?.row.symptom

const noRoot = 'the guest found no root file system'
const kernelFoundNoRoot = 'the kernel found no root file system'
const waitsForRoot = 'the kernel waits for a root file system that does not appear'
const unmountable = 'the guest cannot mount its root file system'
const noInit = 'the guest has no init to start'
const emergency = 'the guest stopped in emergency mode'
const inInitramfs = 'the guest stopped in the initramfs'
const noLease = 'the guest got no network address (no DHCP lease)'
const noNetwork = 'the guest has no network interface'
const noSsh = 'the SSH server of the guest did not start'
const panic = 'the kernel of the guest panicked'
const initEnded = 'the init of the guest ended, and its kernel panicked'
const noLoader = 'the UEFI firmware found nothing to start'
const loaderStopped = 'the boot loader of the guest stopped'
const crash = 'the kernel of the guest crashed'
const cardSlot = "the driver of the card slot crashed in the guest's kernel"

const tellingLines: readonly (readonly [line: string, symptom: string])[] = [
  // Debian's and Raspberry Pi OS's initramfs-tools
  ['Gave up waiting for root file system device.  Common problems:', noRoot],
  ['ALERT!  PARTUUID=4e639091-02 does not exist.  Dropping to a shell!', noRoot],
  ['ALERT!  /dev/mmcblk0p2 does not exist.  Dropping to a shell!', noRoot],
  // our own initramfs
  ['ALERT! root device PARTUUID=31415926-02 does not exist. Block devices: mmcblk0 ', noRoot],
  ['ALERT! cannot mount /dev/mmcblk0p2 as ext4', unmountable],
  // the kernel's own search
  ['[    1.9] VFS: Cannot open root device "PARTUUID=4e639091-02" or unknown-block(0,0): error -6', kernelFoundNoRoot],
  ['[    2.0] VFS: Unable to mount root fs via NFS, trying floppy.', kernelFoundNoRoot],
  ['[    2.1] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(179,2)', kernelFoundNoRoot],
  [
    '[    2.3] Kernel panic - not syncing: No working init found.  Try passing init= option to kernel. See Linux Documentation/admin-guide/init.rst for guidance.',
    noInit
  ],
  ['[    2.3] Kernel panic - not syncing: Requested init /nowhere failed (error -2).', noInit],
  ["switch_root: can't execute '/sbin/init': Exec format error", noInit],
  ['You are in emergency mode. After logging in, type "journalctl -xb" to view', emergency],
  ['Welcome to emergency mode! After logging in, type "systemctl reboot".', emergency],
  ['Cannot open access to console, the root account is locked.', emergency],
  ['(initramfs) ', inInitramfs],
  ['mini: no DHCP lease on usb0', noLease],
  ['udhcpc: no lease, failing', noLease],
  ['No DHCPOFFERS received.', noLease],
  ['dhcpcd[402]: timed out', noLease],
  ['mini: no network interface appeared', noNetwork],
  // bookworm's systemd names the unit, bullseye's only what it is
  ['[FAILED] Failed to start ssh.service - OpenBSD Secure Shell server.', noSsh],
  ['[FAILED] Failed to start OpenBSD Secure Shell server.', noSsh],
  ["systemd[1]: ssh.service: Failed with result 'exit-code'.", noSsh],
  ["systemd[1]: sshd.service: Failed with result 'exit-code'.", noSsh],
  ['[   12.7] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100', initEnded],
  ['[   12.7] Kernel panic - not syncing: Attempted to kill init! exitcode=0x0000000b', panic],
  ['[   12.7] Kernel panic - not syncing: Fatal exception in interrupt', panic],
  ['BdsDxe: No bootable option or device was found.', noLoader],
  ['UEFI Interactive Shell v2.2', noLoader],
  ['Shell> ', noLoader],
  ['grub rescue> ', loaderStopped],
  ['grub> ', loaderStopped],
  ['[   51.9] PC is at bcm2835_finish_data+0x38/0xa8 [bcm2835]', cardSlot],
  ['[    1.3] Internal error: synchronous external abort: 0000000096000010 [#1] SMP', crash],
  ['[    9.1] Internal error: Oops: 0000000096000004 [#1] SMP', crash],
  ['[    9.0] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008', crash],
  ['[    9.0] Unable to handle kernel paging request at virtual address ffff80000a5e0000', crash]
]

describe('a telling line of the console', () => {
  test.each(tellingLines)('%s', (line, symptom) => {
    expect(verdict('[    0.0] Booting Linux on physical CPU 0x0', line, '')).toBe(symptom)
  })
})

describe('a line that passes by in good boots, too,', () => {
  const waiting = '[    1.9] Waiting for root device PARTUUID=4e639091-02...'

  test('counts once it has been the last word for long', () => {
    expect(diagnose(['Booting Linux', waiting], 60_000)).toMatchObject({
      row: { symptom: waitsForRoot },
      line: waiting
    })
  })

  test('does not count before', () => {
    expect([diagnose([waiting]), diagnose([waiting], 1000)]).toEqual([undefined, undefined])
  })

  test('does not count when another line came after it', () => {
    expect(diagnose([waiting, '[    2.0] EXT4-fs (mmcblk0p2): mounted filesystem'], 60_000)).toBeUndefined()
  })
})

test('every row is met by one of these lines', () => {
  const met = new Set([waitsForRoot, ...tellingLines.map(([, symptom]) => symptom)])
  expect(symptoms.console.map(({ symptom }) => symptom).filter(symptom => !met.has(symptom))).toEqual([])
})

describe('a boot that goes well is not diagnosed', () => {
  test.each([
    '[    0.0] Kernel command line: root=PARTUUID=4e639091-02 rootfstype=ext4 rootwait rw',
    '[    1.8] VFS: Mounted root (ext4 filesystem) readonly on device 179:2.',
    '[    2.0] Run /sbin/init as init process',
    '[    1.0] Waiting for root device PARTUUID=4e639091-02...',
    '[  OK  ] Started ssh.service - OpenBSD Secure Shell server.',
    '         Starting ssh.service - OpenBSD Secure Shell server...',
    '[FAILED] Failed to start hciuart.service - Configure Bluetooth Modems connected by UART.',
    'udhcpc: lease of 10.0.2.15 obtained from 10.0.2.2, lease time 86400',
    'dhcpcd[402]: eth0: leased 10.0.2.15 for 86400 seconds',
    '[    3.1] EXT4-fs (mmcblk0p2): mounted filesystem with ordered data mode. Quota mode: none.',
    'raspberrypi login: '
  ])('%s', line => {
    expect(verdict(line)).toBeUndefined()
  })

  test('nor is an empty console', () => {
    expect(verdict()).toBeUndefined()
  })
})

describe('the more telling of two lines wins, whichever comes first', () => {
  test.each([
    ['no root before the prompt it leads to', ['(initramfs) ', 'Gave up waiting for root file system device.'], noRoot],
    [
      'no root before the panic it leads to',
      [
        '[    9.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100',
        'ALERT! root device /dev/vda2 does not exist. Block devices: '
      ],
      noRoot
    ],
    [
      'no init before the panic it leads to',
      [
        '[    9.1] Kernel panic - not syncing: Attempted to kill init! exitcode=0x00000100',
        "switch_root: can't execute '/sbin/init': No such file or directory"
      ],
      noInit
    ],
    [
      'an oops before the panic that follows it is still a panic',
      ['Internal error: Oops: 96000004', 'Kernel panic - not syncing: Fatal exception'],
      panic
    ],
    [
      'a crash of the card slot, whose reason is known, before a crash',
      ['Internal error: : 1b [#1] SMP ARM', 'PC is at bcm2835_finish_data+0x38/0xa8 [bcm2835]'],
      cardSlot
    ],
    [
      'emergency mode before the network that it lacks',
      ['No DHCPOFFERS received.', 'You are in emergency mode.'],
      emergency
    ]
  ])('%s', (_, lines, symptom) => {
    expect(verdict(...lines)).toBe(symptom)
    expect(verdict(...[...lines].reverse())).toBe(symptom)
  })
})

test('the line that showed it comes along, the first of its kind', () => {
  const lines = ['fine', 'Kernel panic - not syncing: one', 'Kernel panic - not syncing: two']
  expect(diagnose(lines)?.line).toBe('Kernel panic - not syncing: one')
})
