import type { RootFacts } from '../../../src/images/families'
import { needlessModules, provisioning, type Wishes } from '../../../src/images/provision'
import { trivialRootFlags } from '../../../src/images/provision/fast-boot'
import { present } from '../../../src/images/provision/units'
import { rootFacts } from '../samples'

const fstab =
  'proc /proc proc defaults 0 0\nPARTUUID=1-01 /boot vfat defaults 0 2\nPARTUUID=1-02 / ext4 defaults,noatime 0 1\n'
const units = new Set(['ssh.service', 'apt-daily.timer', 'systemd-remount-fs.service', 'sshswitch.service'])
const facts = rootFacts({ units, variant: 'desktop', texts: { '/etc/fstab': fstab } })
const remountMask = '/etc/systemd/system.control/systemd-remount-fs.service'

test('a fast boot leaves out checks, self-tests, modules without a device, and a desktop', () => {
  expect(provisioning(facts, 'pi').kernelArguments).toEqual([
    'systemd.mask=sshswitch.service',
    ...['fsck.mode=skip', 'cryptomgr.notests', 'rcupdate.rcu_expedited=1', 'usb_storage.delay_use=0'],
    ...[
      `modprobe.blacklist=${Object.keys(needlessModules).join(',')}`,
      'rootflags=noatime',
      'systemd.unit=multi-user.target'
    ]
  ])
})

test('a full boot is what the image has, but for its first boot', () => {
  const { kernelArguments, edits, notes } = provisioning(facts, 'pi', { boot: 'full' })
  expect(kernelArguments).toEqual(['systemd.mask=sshswitch.service'])
  expect(edits.filter(({ path }) => path.includes('system.control'))).toEqual([])
  expect(notes.join('\n')).not.toMatch(/fast|Desktop/)
})

test("with the image's own first boot, its arguments and what remounts the root are left alone", () => {
  const { kernelArguments, created } = provisioning({ ...facts, variant: 'lite' }, 'pi', { firstBoot: 'run' })
  expect(kernelArguments).toEqual([])
  expect(created).toContain('/etc/systemd/system.control/apt-daily.timer')
  expect(created).not.toContain(remountMask)
})

test('started by firmware, only the disk can say what is left out', () => {
  const { kernelArguments, created } = provisioning(facts, 'pi', { firmware: 'uefi' })
  expect(kernelArguments).toEqual([])
  expect(created).toContain('/etc/systemd/system.control/apt-daily.timer')
  expect(created).not.toContain(remountMask)
})

test('generators that find nothing are not started, unless the image has what they read, or starts its own way', () => {
  const masked = (more: Partial<RootFacts>, wishes: Wishes = {}): readonly string[] =>
    provisioning({ ...facts, ...more }, 'pi', wishes)
      .created.filter(path => path.includes('system-generators/'))
      .map(path => path.replace(/.*systemd-(.*)-generator$/, '$1'))
  const all = masked({})
  expect(all).toEqual(expect.arrayContaining(['cryptsetup', 'gpt-auto', 'rc-local']))
  const paths = new Set(['/etc/crypttab', '/etc/rc.local'])
  expect(masked({ paths })).toEqual(all.filter(name => !['cryptsetup', 'rc-local'].includes(name)))
  expect([masked({ units: new Set() }), masked({}, { firmware: 'uefi' }), masked({}, { boot: 'full' })]).toEqual([
    [],
    [],
    []
  ])
})

test('udev looks at devices only, each once, and at those first that SSH waits for', () => {
  const drop = '/etc/systemd/system/systemd-udev-trigger.service.d/pi-qemu.conf'
  const of = (more: Partial<RootFacts>, wishes: Wishes = {}): string | undefined => {
    const edit = provisioning({ ...facts, ...more }, 'pi', wishes).edits.find(({ path }) => path === drop)
    return edit?.kind === 'file' ? String(edit.content) : undefined
  }
  const withUdev = { units: new Set([...units, 'systemd-udev-trigger.service']) }
  const commands = (of(withUdev) ?? '').split('\n').filter(line => line.startsWith('ExecStart=-'))
  const named = (option: string, line = ''): readonly string[] =>
    [...line.matchAll(new RegExp(`--${option}=(\\S+)`, 'g'))].map(([, name = '']) => name)
  expect(commands.map(line => / --type=(\w+) /.exec(line)?.[1])).toEqual(['devices', 'devices'])
  const first = named('subsystem-match', commands[0])
  expect(first).toEqual(expect.arrayContaining(['block', 'net', 'usb']))
  expect(named('subsystem-nomatch', commands[1])).toEqual([...first, 'devlink'])
  expect([of({}), of(withUdev, { boot: 'full' })]).toEqual([undefined, undefined])
})

describe('remounting the root is left out where the kernel mounts it as fstab says', () => {
  test.each([
    ['defaults', ''],
    ['defaults,noatime', 'noatime'],
    ['rw,relatime', 'relatime'],
    ['defaults,commit=60', undefined],
    ['ro', undefined],
    ['defaults,errors=remount-ro', undefined]
  ])('%s: %p', (options, flags) => {
    expect(trivialRootFlags(`UUID=1 / ext4 ${options} 0 1\n`)).toBe(flags)
  })

  test('and where no file system of the kernel has options', () => {
    expect(trivialRootFlags(`${fstab}proc /proc proc hidepid=2 0 0\n`)).toBeUndefined()
    expect(trivialRootFlags(`${fstab}tmpfs /dev/shm tmpfs size=10M 0 0\n`)).toBeUndefined()
    expect(trivialRootFlags(`# UUID=1 / ext4 defaults 0 1\n`)).toBeUndefined()
    expect(trivialRootFlags(undefined)).toBeUndefined()
  })
})

test('a unit with an instance is there if its template is', () => {
  const existing = { units: new Set(['modprobe@.service', 'a.service']) }
  expect(present(['modprobe@loop.service', 'a.service', 'getty@tty1.service', 'b.mount'], existing)).toEqual([
    ...['modprobe@loop.service', 'a.service']
  ])
})
