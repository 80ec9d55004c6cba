import { ownArguments } from '../../../src/first-boot/cmdline'

const start = 'console=serial0,115200 console=tty1 root=PARTUUID=4e639091-02 rootfstype=ext4 fsck.repair=yes rootwait'
const kept = ['root=PARTUUID=4e639091-02', 'rootfstype=ext4', 'fsck.repair=yes', 'rootwait']

test.each([
  [
    'bullseye',
    `${start} quiet init=/usr/lib/raspi-config/init_resize.sh\n`,
    ['init=/usr/lib/raspi-config/init_resize.sh']
  ],
  [
    'bookworm',
    `${start} quiet init=/usr/lib/raspberrypi-sys-mods/firstboot\n`,
    ['init=/usr/lib/raspberrypi-sys-mods/firstboot']
  ],
  ['trixie', `${start} resize\n`, ['resize']],
  [
    "the imager's script",
    `${start} systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot systemd.unit=kernel-command-line.target`,
    ['systemd.run=/boot/firstrun.sh', 'systemd.run_success_action=reboot', 'systemd.unit=kernel-command-line.target']
  ],
  ['a desktop', `${start} quiet splash plymouth.ignore-serial-consoles logo.nologo vt.global_cursor_default=0`, []],
  ['after the first boot', `${start}\n`, []]
])('%s keeps what is its own, and no consoles', (_, cmdline, more) => {
  expect(ownArguments(cmdline)).toEqual([...kept, ...more])
})

test('the firmware reads one line', () => {
  expect(ownArguments('\nroot=/dev/vda2  rootwait\nsecond=line\n')).toEqual(['root=/dev/vda2', 'rootwait'])
})

test('nothing is nothing', () => {
  expect(ownArguments('\n')).toEqual([])
})
