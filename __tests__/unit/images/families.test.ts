import { join } from 'node:path'
import { Ext4, type Edit } from '../../../src/images/ext4'
import { makeExt4 } from '../../../src/images/make-ext4'
import { bootMountIn, familyOf, field, parseUsers, readRootFacts } from '../../../src/images/families'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const none: ReadonlySet<string> = new Set()

describe('a field of os-release', () => {
  const text = `PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nNAME='My "Linux"'\nID=debian\nID_LIKE=\nBAD="open\n`

  test.each([
    ['PRETTY_NAME', 'Debian GNU/Linux 12 (bookworm)'],
    ['NAME', 'My "Linux"'],
    ['ID', 'debian'],
    ['ID_LIKE', ''],
    ['LIKE', undefined],
    ['VERSION', undefined]
  ])('%s is %j', (name, value) => {
    expect(field(text, name)).toBe(value)
  })
})

describe('the family of an image', () => {
  test.each([
    ['ID=debian\n', 'debian'],
    ['ID=ubuntu\nID_LIKE=debian\n', 'ubuntu'],
    ['ID=raspbian\nID_LIKE=debian\n', 'raspios'],
    ['ID="mini"\n', 'mini'],
    ['ID=alpine\n', 'unknown'],
    ['ID_LIKE=debian\n', 'unknown'],
    ['', 'unknown']
  ])('%j: %s', (text, family) => {
    expect(familyOf(text, none)).toBe(family)
  })

  test('64-bit Raspberry Pi OS calls itself Debian, and is known by its issue file', () => {
    expect(familyOf('ID=debian\n', new Set(['/etc/rpi-issue']))).toBe('raspios')
  })
})

test('users are read from passwd, whatever else is in it', () => {
  const passwd = 'root:x:0:0:root:/root:/bin/bash\npi:x:1000:1001:,,,:/home/pi:/bin/bash\nodd:x:7:7\n\n+::::::\n'
  const { root, pi, odd } = parseUsers(passwd)
  expect({ root, pi, odd }).toEqual({
    root: { uid: 0, gid: 0, home: '/root' },
    pi: { uid: 1000, gid: 1001, home: '/home/pi' },
    odd: { uid: 7, gid: 7, home: '/' }
  })
})

test.each([
  ['proc /proc proc defaults 0 0\nPARTUUID=1-01  /boot/firmware  vfat  defaults 0 2\n', '/boot/firmware'],
  ['#PARTUUID=1-01 /boot/old vfat defaults 0 2\nPARTUUID=1-01 /boot vfat defaults,flush 0 2', '/boot'],
  ['LABEL=system-boot\t/boot/firmware\tvfat\tdefaults\t0\t1\n', '/boot/firmware'],
  ['PARTUUID=1-02 / ext4 defaults 0 1\nUUID=A /media/stick vfat noauto 0 0\n', undefined],
  ['', undefined]
])('fstab %j mounts the boot partition at %s', (fstab, mount) => {
  expect(bootMountIn(fstab)).toBe(mount)
})

describe('the facts of a root file system', () => {
  const folders = (...paths: readonly string[]): readonly Edit[] =>
    paths.map((path): Edit => ({ kind: 'folder', path, mode: 0o755 }))
  const file = (path: string, content = ''): Edit => ({ kind: 'file', path, content, mode: 0o644 })
  const link = (path: string, target: string): Edit => ({ kind: 'symlink', path, target })

  async function facts(edits: readonly Edit[]): ReturnType<typeof readRootFacts> {
    const folder = scratch.fresh()
    const image = join(folder, 'root.img')
    await makeExt4({ file: image, size: 8 * 1024 * 1024, label: 'root', journal: false })
    const root = new Ext4(image, 0)
    await root.apply(edits, folder)
    return readRootFacts(root)
  }

  test("of Debian, whose /lib is a link: system, architecture, users, units, sshd's drop-ins", async () => {
    const found = await facts([
      ...folders('/usr', '/usr/lib', '/usr/lib/systemd', '/usr/lib/systemd/system'),
      ...folders('/etc', '/etc/ssh', '/etc/ssh/sshd_config.d', '/etc/systemd', '/etc/systemd/system'),
      ...folders('/etc/systemd/system/multi-user.target.wants'),
      link('/lib', 'usr/lib'),
      file(
        '/usr/lib/os-release',
        'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_CODENAME=bookworm\nID=debian\n'
      ),
      file('/etc/fstab', 'PARTUUID=1-01 /boot/firmware vfat defaults 0 2\n'),
      link('/etc/systemd/system/multi-user.target.wants/ssh.service', '/lib/systemd/system/ssh.service'),
      link('/etc/os-release', '../usr/lib/os-release'),
      file('/usr/lib/ld-linux-aarch64.so.1'),
      file('/usr/lib/systemd/system/ssh.service'),
      link('/etc/systemd/system/sshd.service', '/lib/systemd/system/ssh.service'),
      file('/etc/passwd', 'root:x:0:0:root:/root:/bin/bash\n'),
      file('/etc/ssh/sshd_config', '# x\nInclude /etc/ssh/sshd_config.d/*.conf\n'),
      link('/etc/resolv.conf', '/run/systemd/resolve/stub-resolv.conf')
    ])
    expect(found).toEqual({
      family: 'debian',
      title: 'Debian GNU/Linux 12 (bookworm)',
      architecture: 'arm64',
      users: { root: { uid: 0, gid: 0, home: '/root' } },
      codename: 'bookworm',
      variant: 'lite',
      enabled: new Set(['ssh.service']),
      bootMount: '/boot/firmware',
      texts: {
        '/etc/fstab': 'PARTUUID=1-01 /boot/firmware vfat defaults 0 2\n',
        '/etc/passwd': 'root:x:0:0:root:/root:/bin/bash\n'
      },
      units: new Set(['ssh.service', 'sshd.service']),
      paths: new Set([
        '/etc/ssh/sshd_config.d',
        '/etc/systemd/system/multi-user.target.wants',
        '/etc/resolv.conf',
        '/lib/ld-linux-aarch64.so.1'
      ]),
      sshDropIns: true,
      sshConfig: '# x\nInclude /etc/ssh/sshd_config.d/*.conf\n'
    })
  })

  test('of Raspberry Pi OS bullseye, 32 bit: no drop-ins', async () => {
    const found = await facts([
      ...folders('/lib', '/etc', '/etc/ssh'),
      file('/etc/os-release', 'PRETTY_NAME="Raspbian GNU/Linux 11 (bullseye)"\nID=raspbian\n'),
      file('/etc/rpi-issue', 'Raspberry Pi reference 2023-05-03\n'),
      file('/lib/ld-linux-armhf.so.3'),
      file('/etc/ssh/sshd_config', '#Include /etc/ssh/sshd_config.d/*.conf\nUsePAM yes\n'),
      ...folders('/etc/init.d', '/lib/systemd', '/lib/systemd/system'),
      file('/etc/init.d/resize2fs_once'),
      file('/lib/systemd/system/lightdm.service')
    ])
    expect(found).toMatchObject({ family: 'raspios', architecture: 'armhf', sshDropIns: false, variant: 'desktop' })
    expect(found.units).toContain('resize2fs_once.service')
  })

  test('of an empty file system: nothing is known, and nothing fails', async () => {
    expect(await facts([])).toMatchObject({ family: 'unknown', title: 'unknown system', users: {}, sshDropIns: false })
  })
})
