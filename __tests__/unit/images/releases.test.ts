import type { RootFacts } from '../../../src/images/families'
import type { Edit } from '../../../src/images/ext4'
import { placeholder } from '../../../src/images/keys'
import { provisioning } from '../../../src/images/provision'
import { networks } from '../../../src/images/provision/network'
import { withHostName } from '../../../src/images/provision/identity'
import { releaseOf, releases } from '../../../src/images/releases'
import { rootFacts } from '../samples'

const edit = (edits: readonly Edit[], path: string): Edit | undefined => edits.find(one => one.path === path)
const text = (edits: readonly Edit[], path: string): string | undefined => {
  const found = edit(edits, path)
  return found?.kind === 'file' ? found.content.toString() : undefined
}

const shadow = 'root:*:19700:0:99999:7:::\npi:!:19700:0:99999:7:::\n'
const passwd = 'root:x:0:0:root:/root:/bin/bash\npi:x:1000:1000:,,,:/home/pi:/bin/bash\n'
const common = ['ssh.service', 'regenerate_ssh_host_keys.service', 'sshswitch.service', 'userconfig.service']
const cloud = ['cloud-init.service', 'cloud-init-local.service', 'cloud-config.service', 'cloud-final.service']

/** What a fresh image of each release says about itself. */
const images = {
  bullseye: rootFacts({
    codename: 'bullseye',
    sshDropIns: true,
    // NetworkManager is there for those who want it.
    units: new Set([
      ...common,
      'dhcpcd.service',
      'NetworkManager.service',
      'resize2fs_once.service',
      'systemd-networkd.service'
    ]),
    enabled: new Set(['dhcpcd.service']),
    paths: new Set(['/etc/dhcpcd.conf', '/etc/sudoers.d', '/etc/resolv.conf']),
    texts: { '/etc/shadow': shadow, '/etc/passwd': passwd }
  }),
  bookworm: rootFacts({
    codename: 'bookworm',
    units: new Set([...common, 'NetworkManager.service', 'systemd-networkd.service']),
    enabled: new Set(['NetworkManager.service']),
    texts: { '/etc/shadow': shadow, '/etc/passwd': passwd.replace('/home/pi:/bin/bash', '/home/pi:/usr/sbin/nologin') }
  }),
  trixie: rootFacts({
    codename: 'trixie',
    units: new Set([...common, ...cloud, 'rpi-resize.service', 'NetworkManager.service', 'systemd-networkd.service']),
    enabled: new Set(['NetworkManager.service', 'rpi-resize.service']),
    paths: new Set(['/etc/netplan', '/etc/cloud/cloud.cfg.d', '/etc/sudoers.d', '/etc/resolv.conf']),
    texts: { '/etc/shadow': shadow, '/etc/passwd': passwd }
  }),
  ubuntu: rootFacts({
    family: 'ubuntu',
    codename: 'noble',
    units: new Set(['ssh.service', ...cloud, 'snapd.seeded.service', 'systemd-networkd.service']),
    enabled: new Set(['systemd-networkd.service']),
    paths: new Set(['/etc/netplan', '/etc/cloud/cloud.cfg.d', '/etc/sudoers.d', '/etc/resolv.conf']),
    texts: { '/etc/shadow': shadow, '/etc/passwd': passwd }
  }),
  debian: rootFacts({
    family: 'debian',
    codename: 'bookworm',
    units: new Set(['ssh.service', 'systemd-networkd.service']),
    enabled: new Set(),
    texts: { '/etc/shadow': shadow, '/etc/passwd': passwd }
  }),
  unknown: rootFacts({ family: 'unknown', codename: undefined, units: new Set(['sshd.service']), paths: new Set() })
} as const satisfies Readonly<Record<string, RootFacts>>

describe('a release is known by its family and codename', () => {
  test.each([
    ['bullseye', 'Raspberry Pi OS bullseye', '/boot', true],
    ['bookworm', 'Raspberry Pi OS bookworm', '/boot/firmware', true],
    ['trixie', 'Raspberry Pi OS trixie', '/boot/firmware', true],
    ['ubuntu', 'Ubuntu for Raspberry Pi', '/boot/firmware', false],
    ['debian', 'Debian', '/boot/firmware', false],
    ['unknown', 'unknown system', '/boot', false]
  ] as const)('%s: %s', (image, title, bootMount, userconf) => {
    expect(releaseOf(images[image])).toMatchObject({ title, bootMount, userconf })
  })

  test('a codename of tomorrow has the row of its family', () => {
    expect(releaseOf({ family: 'raspios', codename: 'forky' })).toMatchObject({ title: 'Raspberry Pi OS' })
  })

  test('every row can be found, and names networks that there are', () => {
    for (const row of releases) {
      expect(releaseOf(row)).toBe(row)
      expect(row.networks.filter(name => !Object.hasOwn(networks, name))).toEqual([])
    }
  })
})

describe('the network is told by what configures it', () => {
  test.each([
    ['bullseye', 'Network: DHCP by dhcpcd, as the image has it', undefined],
    ['bookworm', 'Network: DHCP by NetworkManager', '/etc/NetworkManager/system-connections/pi-qemu.nmconnection'],
    ['trixie', 'Network: DHCP by NetworkManager', '/etc/NetworkManager/system-connections/pi-qemu.nmconnection'],
    ['ubuntu', 'Network: DHCP by netplan and systemd-networkd', '/etc/netplan/05-pi-qemu.yaml'],
    ['debian', 'Network: DHCP by systemd-networkd', '/etc/systemd/network/05-pi-qemu.network'],
    ['unknown', 'Network: left as the image has it', undefined]
  ] as const)('%s: %s', (image, note, path) => {
    const { edits, notes } = provisioning(images[image], 'root')
    expect(notes).toContain(note)
    expect(edits.map(one => one.path).filter(one => /pi-qemu\.(nm|yaml|network)/.test(one))).toEqual(path ? [path] : [])
  })

  test('one that is installed but switched off is switched on, if there is no other', () => {
    const { edits } = provisioning({ ...images.bullseye, enabled: new Set() }, 'root')
    expect(edit(edits, '/etc/systemd/system/multi-user.target.wants/dhcpcd.service')).toMatchObject({ kind: 'symlink' })
  })

  test('one that is switched on is not switched on again', () => {
    const { edits } = provisioning(images.bookworm, 'root')
    expect(edit(edits, '/etc/systemd/system/multi-user.target.wants/NetworkManager.service')).toBeUndefined()
  })
})

describe('the first boot', () => {
  const masked = (facts: RootFacts, firstBoot: 'skip' | 'run'): readonly string[] =>
    provisioning(facts, 'pi', { firstBoot }).kernelArguments.filter(word => word.startsWith('systemd.mask='))

  test.each([
    ['bullseye', ['regenerate_ssh_host_keys', 'resize2fs_once', 'sshswitch', 'userconfig']],
    ['bookworm', ['regenerate_ssh_host_keys', 'sshswitch', 'userconfig']],
    [
      'trixie',
      [
        ...['cloud-init', 'cloud-init-local', 'cloud-config', 'cloud-final'],
        ...['regenerate_ssh_host_keys', 'rpi-resize', 'sshswitch', 'userconfig']
      ]
    ],
    ['ubuntu', ['cloud-init', 'cloud-init-local', 'cloud-config', 'cloud-final']],
    ['debian', []]
  ] as const)('of %s is skipped by masking %j', (image, units) => {
    expect(masked(images[image], 'skip')).toEqual(units.map(unit => `systemd.mask=${unit}.service`))
  })

  test.each(['bullseye', 'bookworm', 'trixie'] as const)('of %s is not touched where it is to run', image => {
    const { kernelArguments, notes } = provisioning(images[image], 'pi', { firstBoot: 'run' })
    expect(kernelArguments).toEqual([])
    expect(notes.at(-1)).toMatch(/^First boot: the image's own \(Raspberry Pi OS \w+: /)
  })

  test('cloud-init is told not to run, in the way it has for that', () => {
    expect(provisioning(images.ubuntu, 'pi').kernelArguments).toContain('cloud-init=disabled')
    expect(provisioning(images.bookworm, 'pi').kernelArguments).not.toContain('cloud-init=disabled')
    expect(provisioning(images.ubuntu, 'pi', { firstBoot: 'run' }).kernelArguments).not.toContain('cloud-init=disabled')
  })

  test('cloud-init leaves accounts and host name alone where it runs', () => {
    const path = '/etc/cloud/cloud.cfg.d/zz-pi-qemu.cfg'
    expect(text(provisioning(images.trixie, 'pi', { firstBoot: 'run' }).edits, path)).toContain('users: []\n')
    expect(edit(provisioning(images.trixie, 'pi').edits, path)).toBeUndefined()
  })
})

test('a desktop is not started, and that is said', () => {
  const { kernelArguments, notes } = provisioning({ ...images.bookworm, variant: 'desktop' }, 'pi')
  expect(kernelArguments).toContain('systemd.unit=multi-user.target')
  expect(notes).toContain('Desktop: not started (systemd.unit=multi-user.target)')
})

describe('the account', () => {
  test('that is locked gets room for a password, in a file that keeps its group', () => {
    const { edits, slots } = provisioning(images.bookworm, 'pi')
    expect(edit(edits, '/etc/shadow')).toMatchObject({ kind: 'file', mode: 0o640, gid: 42 })
    expect(text(edits, '/etc/shadow')).toBe(shadow.replace('pi:!:', `pi:${placeholder('password')}:`))
    expect(slots.at(-1)).toEqual({ path: '/etc/shadow', content: 'password', start: shadow.indexOf('pi:') + 3 })
  })

  test('that has a password keeps it', () => {
    const texts = { '/etc/shadow': shadow.replace('pi:!', 'pi:$y$j9T$a$b') }
    const { edits, slots, notes } = provisioning({ ...images.bookworm, texts }, 'pi')
    expect(edit(edits, '/etc/shadow')).toBeUndefined()
    expect(slots.filter(({ content }) => content === 'password')).toEqual([])
    expect(notes).toContain('Password: pi has a password, which stays')
  })

  test('whose shell lets nobody in gets one that does; others keep theirs', () => {
    expect(text(provisioning(images.bookworm, 'pi').edits, '/etc/passwd')).toBe(passwd)
    expect(edit(provisioning(images.trixie, 'pi').edits, '/etc/passwd')).toBeUndefined()
  })
})

describe('the host name', () => {
  test('is in /etc/hostname and /etc/hosts', () => {
    const facts = { ...images.bookworm, texts: { '/etc/hosts': '127.0.0.1\tlocalhost\n127.0.1.1\t\traspberrypi\n' } }
    const { edits, notes } = provisioning(facts, 'pi', { hostname: 'lab-7' })
    expect(text(edits, '/etc/hostname')).toBe('lab-7\n')
    expect(text(edits, '/etc/hosts')).toBe('127.0.0.1\tlocalhost\n127.0.1.1\tlab-7\n')
    expect(notes).toContain('Host name: lab-7')
  })

  test('stays unless it is asked for', () => {
    expect(edit(provisioning(images.bookworm, 'pi').edits, '/etc/hostname')).toBeUndefined()
  })

  test.each([
    ['127.0.0.1 localhost\n', '127.0.0.1 localhost\n127.0.1.1\tlab\n'],
    ['127.0.1.1 a b\n::1 x\n\n', '127.0.1.1\tlab\n::1 x\n'],
    ['127.0.0.1 localhost', '127.0.0.1 localhost\n127.0.1.1\tlab\n']
  ])('in %j', (hosts, expected) => {
    expect(withHostName(hosts, 'lab')).toBe(expected)
  })
})

describe('ld.so.preload', () => {
  const texts = { '/etc/ld.so.preload': '/usr/lib/arm-linux-gnueabihf/libarmmem-${PLATFORM}.so\n' }

  test.each(['armhf', 'arm64'] as const)('of Raspberry Pi OS is emptied: %s', architecture => {
    expect(text(provisioning({ ...images.bullseye, architecture, texts }, 'pi').edits, '/etc/ld.so.preload')).toBe('')
  })

  test('with something else in it stays', () => {
    const other = { '/etc/ld.so.preload': '/usr/lib/libfaketime.so\n' }
    const facts = { ...images.bullseye, architecture: 'armhf' as const, texts: other }
    expect(edit(provisioning(facts, 'pi').edits, '/etc/ld.so.preload')).toBeUndefined()
  })
})
