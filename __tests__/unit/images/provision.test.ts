import type { Edit } from '../../../src/images/ext4'
import { placeholder } from '../../../src/images/keys'
import { firstBootUnits, needlessUnits, provisioning } from '../../../src/images/provision'
import { rootFacts } from '../samples'

const pathsOf = (edits: readonly Edit[]): readonly string[] => edits.map(({ path }) => path)
const editAt = (edits: readonly Edit[], path: string): Edit | undefined => edits.find(edit => edit.path === path)
const contentAt = (edits: readonly Edit[], path: string): string => {
  const edit = editAt(edits, path)
  return edit?.kind === 'file' ? edit.content.toString() : `no file at ${path}`
}

const sshSettings = [
  'HostKey /etc/pi-qemu/ssh_host_ed25519_key',
  'AuthorizedKeysFile .ssh/authorized_keys /etc/pi-qemu/authorized_keys',
  'PermitRootLogin prohibit-password',
  'PubkeyAuthentication yes',
  'UseDNS no',
  'Include /etc/pi-qemu/sshd_password.conf'
]
/** Where sshd reads no drop-ins, it may be too old for that. */
const mainFileSettings = sshSettings.slice(0, -1)

test('the built-in image needs its two keys, and what a snapshot takes', () => {
  const { edits, ...rest } = provisioning(rootFacts({ family: 'mini' }), 'root')
  expect(edits.slice(0, 3)).toEqual([
    { kind: 'folder', path: '/etc/pi-qemu', mode: 0o755 },
    { kind: 'file', path: '/etc/pi-qemu/authorized_keys', content: placeholder('authorized-keys'), mode: 0o600 },
    { kind: 'file', path: '/etc/pi-qemu/dropbear_host_key', content: placeholder('dropbear-host-key'), mode: 0o600 }
  ])
  expect(pathsOf(edits).slice(3)).toEqual(['/etc/pi-qemu/agent', '/etc/pi-qemu/reseed'])
  expect(rest).toEqual({
    notes: ["SSH: this run's key for root, and its host key"],
    slots: [
      { path: '/etc/pi-qemu/authorized_keys', content: 'authorized-keys' },
      { path: '/etc/pi-qemu/dropbear_host_key', content: 'dropbear-host-key' }
    ],
    kernelArguments: [],
    created: pathsOf(edits).slice(1),
    replaced: []
  })
})

describe('snapshots', () => {
  const { edits } = provisioning(rootFacts(), 'pi')

  test('take an agent that runs only where the kernel is told to hold', () => {
    expect(contentAt(edits, '/etc/systemd/system/pi-qemu-agent.service')).toContain(
      'ConditionKernelCommandLine=pi-qemu.hold'
    )
    expect(contentAt(edits, '/etc/systemd/system/pi-qemu-keys.path')).toMatch(
      /ConditionKernelCommandLine=pi-qemu\.hold[^]*Unit=ssh\.service/
    )
  })

  test('let SSH start as ever without that argument, and with it once the keys are there', () => {
    expect(contentAt(edits, '/etc/systemd/system/ssh.service.d/pi-qemu.conf')).toMatch(
      /ConditionKernelCommandLine=\|!pi-qemu\.hold\nConditionPathExists=\|\/run\/pi-qemu\/keys/
    )
  })

  test('are nothing for a system without systemd, or that no such board runs', () => {
    for (const facts of [rootFacts({ units: new Set() }), rootFacts({ architecture: 'armel' })])
      expect(pathsOf(provisioning(facts, 'root').edits)).not.toContain('/etc/pi-qemu/agent')
  })
})

describe('SSH', () => {
  test('gets a drop-in where sshd reads them, and the main file stays as it is', () => {
    const { edits, notes } = provisioning(rootFacts(), 'pi')
    const text = contentAt(edits, '/etc/ssh/sshd_config.d/00-pi-qemu.conf')
    expect(text.split('\n').slice(1)).toEqual([...sshSettings, ''])
    expect(pathsOf(edits)).not.toContain('/etc/ssh/sshd_config')
    expect(notes[0]).toBe(
      "SSH: enabled (ssh.service), this run's key for every user, its host key in /etc/ssh/sshd_config.d/00-pi-qemu.conf"
    )
  })

  test('gets its settings at the top of the main file elsewhere: sshd takes the first value it meets', () => {
    const sshConfig = 'PermitRootLogin no\n# mine\n'
    const { edits } = provisioning(rootFacts({ sshDropIns: false, sshConfig }), 'pi')
    const text = contentAt(edits, '/etc/ssh/sshd_config')
    expect(text.endsWith(`\n${sshConfig}`)).toBe(true)
    expect(text.split('\n').slice(1, 6)).toEqual(mainFileSettings)
    expect(pathsOf(edits).filter(path => path.includes('sshd_config.d'))).toEqual([])
  })

  test('gets a main file where there is none', () => {
    const { edits } = provisioning(rootFacts({ sshDropIns: false, sshConfig: undefined }), 'pi')
    expect(contentAt(edits, '/etc/ssh/sshd_config').split('\n').slice(1)).toEqual([...mainFileSettings, ''])
  })

  test('keeps a place for the keys of a run: of their length, and no keys', () => {
    const { edits, slots } = provisioning(rootFacts(), 'pi')
    expect(slots).toEqual([
      { path: '/etc/pi-qemu/authorized_keys', content: 'authorized-keys' },
      { path: '/etc/pi-qemu/ssh_host_ed25519_key', content: 'host-key' },
      { path: '/etc/pi-qemu/sshd_password.conf', content: 'password-login' }
    ])
    for (const { path, content } of slots) expect(contentAt(edits, path)).toBe(placeholder(content))
    // sshd reads the first as the user who logs in, and refuses a host key that others may read.
    expect(slots.map(({ path }) => editAt(edits, path))).toMatchObject([
      { mode: 0o644 },
      { mode: 0o600 },
      { mode: 0o644 }
    ])
  })

  test.each([
    [['ssh.service'], 'ssh.service'],
    [['ssh.service', 'sshd.service'], 'ssh.service'],
    [['sshd.service'], 'sshd.service']
  ])('is enabled where the units are %j: %s', (units, unit) => {
    const { edits } = provisioning(rootFacts({ units: new Set(units) }), 'pi')
    expect(editAt(edits, `/etc/systemd/system/multi-user.target.wants/${unit}`)).toEqual({
      kind: 'symlink',
      path: `/etc/systemd/system/multi-user.target.wants/${unit}`,
      target: `/lib/systemd/system/${unit}`
    })
  })
})

describe('the network', () => {
  const withUnits = (...units: readonly string[]): ReadonlySet<string> => new Set(['ssh.service', ...units])
  const nothing: ReadonlySet<string> = new Set()

  test('is DHCP by NetworkManager where that is, in a file for root alone', () => {
    const units = withUnits('NetworkManager.service', 'systemd-networkd.service', 'dhcpcd.service')
    const { edits, notes } = provisioning(rootFacts({ units, paths: new Set(['/etc/dhcpcd.conf']) }), 'root')
    const path = '/etc/NetworkManager/system-connections/pi-qemu.nmconnection'
    expect(editAt(edits, path)).toMatchObject({ kind: 'file', mode: 0o600 })
    expect(contentAt(edits, path)).toMatch(
      /^\[connection\]\nid=pi-qemu\ntype=ethernet\n[\s\S]*\n\[ipv4\]\nmethod=auto\n/
    )
    expect(notes).toContain('Network: DHCP by NetworkManager')
    expect(pathsOf(edits).filter(other => other.includes('networkd') || other.includes('systemd/network'))).toEqual([])
  })

  test('is left to dhcpcd where the image has it so', () => {
    const units = withUnits('dhcpcd.service', 'systemd-networkd.service')
    const { edits, notes } = provisioning(rootFacts({ units, paths: new Set(['/etc/dhcpcd.conf']) }), 'root')
    expect(notes).toContain('Network: DHCP by dhcpcd, as the image has it')
    expect(pathsOf(edits).filter(path => /network|resolv/i.test(path))).toEqual([])
  })

  test('is not left to a dhcpcd that is configured but not installed', () => {
    const units = withUnits('systemd-networkd.service')
    const { notes } = provisioning(rootFacts({ units, paths: new Set(['/etc/dhcpcd.conf']) }), 'root')
    expect(notes).toContain('Network: DHCP by systemd-networkd')
  })

  test('is DHCP by systemd-networkd, enabled for it, on any wire', () => {
    const { edits } = provisioning(rootFacts({ units: withUnits('systemd-networkd.service'), paths: nothing }), 'root')
    expect(contentAt(edits, '/etc/systemd/network/05-pi-qemu.network')).toBe(
      '[Match]\nName=e* usb*\n\n[Network]\nDHCP=ipv4\nLinkLocalAddressing=no\nIPv6AcceptRA=no\n'
    )
    expect(editAt(edits, '/etc/systemd/system/multi-user.target.wants/systemd-networkd.service')).toMatchObject({
      kind: 'symlink',
      target: '/lib/systemd/system/systemd-networkd.service'
    })
    expect(contentAt(edits, '/etc/resolv.conf')).toBe('nameserver 10.0.2.3\n')
  })

  test('keeps the resolver that an image has', () => {
    const facts = rootFacts({ units: withUnits('systemd-networkd.service'), paths: new Set(['/etc/resolv.conf']) })
    expect(pathsOf(provisioning(facts, 'root').edits)).not.toContain('/etc/resolv.conf')
  })

  test('is left alone where none of these is', () => {
    const { edits, notes } = provisioning(rootFacts({ units: withUnits(), paths: nothing }), 'root')
    expect(notes).toContain('Network: left as the image has it')
    expect(pathsOf(edits).filter(path => /network|resolv/i.test(path))).toEqual([])
  })
})

describe('sudo', () => {
  const rule = '/etc/sudoers.d/zz-pi-qemu'

  test('asks the chosen user for no password', () => {
    const { edits, notes } = provisioning(rootFacts(), 'pi')
    expect(editAt(edits, rule)).toEqual({
      kind: 'file',
      path: rule,
      content: 'pi ALL=(ALL:ALL) NOPASSWD: ALL\n',
      mode: 0o440
    })
    expect(notes).toContain('sudo: without a password for pi')
  })

  test('is not needed by root, and not touched where it is not installed', () => {
    expect(pathsOf(provisioning(rootFacts(), 'root').edits)).not.toContain(rule)
    expect(pathsOf(provisioning(rootFacts({ paths: new Set() }), 'pi').edits)).not.toContain(rule)
  })
})

describe('units', () => {
  const units = new Set(['ssh.service', 'bluetooth.service', 'modprobe@.service', 'userconfig.service', 'cron.service'])
  const mask = (unit: string): Edit => {
    return { kind: 'symlink', path: `/etc/systemd/system.control/${unit}`, target: '/dev/null' }
  }
  const links = (edits: readonly Edit[]): readonly Edit[] => edits.filter(({ path }) => path.includes('.control/'))

  test('that are of no use are masked on the copy, those that are there and no others, and taken out again', () => {
    const { edits, notes, created } = provisioning(rootFacts({ units }), 'pi')
    expect(links(edits).filter(({ path }) => !path.includes('modprobe@'))).toEqual([mask('bluetooth.service')])
    expect(links(edits)).toContainEqual(mask('modprobe@loop.service'))
    expect(created).toContain('/etc/systemd/system.control/bluetooth.service')
    expect(notes.find(note => note.startsWith('Masked (boot: fast): '))).toMatch(/: bluetooth\.service, modprobe@/)
  })

  test('of the first boot are masked on the kernel command line, and the disk keeps them', () => {
    const { kernelArguments, edits, notes } = provisioning(rootFacts({ units }), 'pi')
    expect(kernelArguments).toContain('systemd.mask=userconfig.service')
    expect(kernelArguments).not.toContain('systemd.mask=bluetooth.service')
    expect(notes).toContain('Masked for this boot (kernel command line): userconfig.service')
    expect(pathsOf(edits).filter(path => path.includes('userconfig'))).toEqual([])
  })

  test('of which none is there leave no word', () => {
    const { kernelArguments, edits, notes } = provisioning(rootFacts({ units: new Set(['ssh.service']) }), 'pi')
    expect(kernelArguments.filter(word => word.startsWith('systemd.mask='))).toEqual([])
    expect(links(edits)).toEqual([])
    expect(notes.join('\n')).not.toContain('Masked')
  })

  test('that the login needs are in no list', () => {
    const listed = Object.keys({ ...needlessUnits, ...firstBootUnits })
    const needed = ['ssh.service', 'sshd.service', 'ssh.socket', 'NetworkManager.service', 'systemd-networkd.service']
    expect(
      listed.filter(unit => [...needed, 'dhcpcd.service', 'dbus.service', 'systemd-logind.service'].includes(unit))
    ).toEqual([])
    expect(listed.filter(unit => !/^[\w@.-]+\.(service|timer|socket|mount)$/.test(unit))).toEqual([])
  })

  test('are listed once, each with its reason', () => {
    const lists = [...Object.entries(needlessUnits), ...Object.entries(firstBootUnits)]
    expect(new Set(lists.map(([unit]) => unit)).size).toBe(lists.length)
    expect(lists.filter(([, reason]) => reason.length < 5)).toEqual([])
  })
})

describe('what was made', () => {
  test('lists every file and link, and no folder: it can be taken out of a saved image again', () => {
    const { edits, created } = provisioning(
      rootFacts({ units: new Set(['ssh.service', 'systemd-networkd.service']) }),
      'pi'
    )
    const made = edits.filter(({ kind }) => kind === 'file' || kind === 'symlink')
    expect(created).toEqual(pathsOf(made))
    expect(created).toContain('/etc/pi-qemu/authorized_keys')
    expect(created).toContain('/etc/sudoers.d/zz-pi-qemu')
    expect(created).not.toContain('/etc/pi-qemu')
  })

  test('is made after the folder it lies in, and once', () => {
    const { edits } = provisioning(rootFacts(), 'pi')
    const paths = pathsOf(edits)
    expect(new Set(paths).size).toBe(paths.length)
    const folder = paths.indexOf('/etc/pi-qemu')
    for (const [at, path] of paths.entries()) if (path.startsWith('/etc/pi-qemu/')) expect(at).toBeGreaterThan(folder)
  })

  test('is the same for the same facts', () => {
    expect(provisioning(rootFacts(), 'pi')).toEqual(provisioning(rootFacts(), 'pi'))
  })
})
