import type { Edit } from '../ext4'
import type { RootFacts } from '../families'
import { masksOnDisk } from '../uefi'
import type { Part } from './part'
import { needlessGenerators, needlessModules, needlessUnits, present } from './units'

export interface Course {
  readonly firstBoot: 'skip' | 'run'
  /** Whether the kernel's arguments are ours to choose. */
  readonly ownArguments: boolean
}

/** Leaves out of the boot what does no good in an emulator (`boot: fast`). A saved image has it again. */
export function fastBoot(facts: RootFacts, { firstBoot, ownArguments }: Course): Part {
  // The first boot's own arguments may mount the root read-only, and count on what remounts it.
  const all = ownArguments && firstBoot === 'skip'
  const flags = all ? trivialRootFlags(facts.texts?.['/etc/fstab']) : undefined
  const units = present([...Object.keys(needlessUnits), ...(flags === undefined ? [] : [remount])], facts)
  const modules = Object.keys(needlessModules)
  const generators = needlessGenerators.flatMap(({ name, unless }) =>
    !all || facts.units.size === 0 || (unless !== undefined && facts.paths.has(unless)) ? [] : [name]
  )
  const noDesktop = ownArguments && facts.variant === 'desktop'
  return {
    edits: [...(units.length === 0 ? [] : masksOnDisk(units)), ...masks(generators), ...coldplug(facts)],
    kernelArguments: [
      ...(all ? [...shortCuts, `modprobe.blacklist=${modules.join(',')}`] : []),
      ...(flags === undefined || flags === '' ? [] : [`rootflags=${flags}`]),
      // Nobody sees a desktop, and it costs minutes; `boot: full` or `append` brings it back.
      ...(noDesktop ? ['systemd.unit=multi-user.target'] : [])
    ],
    notes: [
      ...(units.length === 0 ? [] : [`Masked (boot: fast): ${units.join(', ')}`]),
      ...(generators.length === 0 ? [] : [`Not started (boot: fast): ${generators.join(', ')}`]),
      ...(all ? [`Not loaded unless asked for (boot: fast): ${modules.join(', ')}`] : []),
      ...(noDesktop ? ['Desktop: not started (systemd.unit=multi-user.target)'] : [])
    ]
  }
}

/** What makes udev look at what was there before it. */
const trigger = 'systemd-udev-trigger.service'

/**
 * Has udev look at devices only, at what SSH waits for first. By default it also goes through hundreds of drivers, modules
 * and links between devices, for which it has next to no rules: 1.5 of 3.9 s on raspi3b.
 */
function coldplug(facts: RootFacts): readonly Edit[] {
  if (!facts.units.has(trigger)) return []
  const first = ['block', 'net', 'usb']
  const words = (option: string, names: readonly string[]): string => names.map(name => ` --${option}=${name}`).join('')
  const devices = '-udevadm trigger --type=devices --action=add'
  const content = [
    '# Written by pi-qemu (boot: fast): devices only, what SSH waits for first.',
    '[Service]',
    'ExecStart=',
    `ExecStart=${devices}${words('subsystem-match', first)}`,
    `ExecStart=${devices}${words('subsystem-nomatch', [...first, 'devlink'])}`,
    ''
  ].join('\n')
  const folder = `/etc/systemd/system/${trigger}.d`
  return [
    { kind: 'folder', path: folder, mode: 0o755 },
    { kind: 'file', path: `${folder}/pi-qemu.conf`, content, mode: 0o644 }
  ]
}

function masks(generators: readonly string[]): readonly Edit[] {
  const folder = '/etc/systemd/system-generators'
  if (generators.length === 0) return []
  return [
    { kind: 'folder', path: folder, mode: 0o755 },
    ...generators.map(name => ({ kind: 'symlink', path: `${folder}/${name}`, target: '/dev/null' }) as const)
  ]
}

/**
 * Kernel arguments that shorten a boot: no checks of a disk that is new in each run, no self-tests of ciphers as their
 * modules are loaded, no waiting for the end of RCU's grace periods, nor for a USB disk to settle
 * (kernel-parameters.txt).
 */
const shortCuts = [
  'fsck.mode=skip',
  'cryptomgr.notests',
  'rcupdate.rcu_expedited=1',
  'usb_storage.delay_use=0'
] as const

/** Gives the root file system the options of fstab, once it is up. */
const remount = 'systemd-remount-fs.service'

/**
 * What the kernel needs as `rootflags` so that nothing is left for {@link remount} to do; undefined where the options of
 * the root file system, or of one that the kernel mounts by itself, are more than that.
 */
export function trivialRootFlags(fstab = ''): string | undefined {
  const rows = fstab
    .split('\n')
    .filter(line => !line.trimStart().startsWith('#'))
    .map(line => line.trim().split(/\s+/))
  if (rows.some(([, mount = '']) => /^\/(sys|dev|run|usr)(\/|$)/.test(mount))) return undefined
  if (rows.some(([, mount, , options]) => mount === '/proc' && options !== 'defaults')) return undefined
  const root = rows.find(([, mount]) => mount === '/')
  if (root === undefined) return undefined
  const options = (root[3] ?? '').split(',').filter(option => !['defaults', 'rw'].includes(option))
  return options.every(option => ['noatime', 'relatime'].includes(option)) ? options.join(',') : undefined
}
