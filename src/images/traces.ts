import type { Edit, Ext4 } from './ext4'

/** Files in a folder of the guest that must not be in an image that many machines start from. */
export interface Trace {
  readonly folder: string
  readonly name: RegExp
  /** `new`: only those that the boot with `prepare` made; the image's own stay. */
  readonly which: 'all' | 'new'
  /** Whether they lie one folder deeper. */
  readonly deeper?: true
  readonly why: string
}

/** What a boot and its packages leave behind, each with what would go wrong if it were handed on. */
export const traces: readonly Trace[] = [
  {
    folder: '/var/lib/systemd',
    name: /^(random-seed|credential\.secret)$/,
    which: 'all',
    why: 'no two Pis may start from the same entropy, or share a secret'
  },
  {
    folder: '/etc/ssh',
    name: /^ssh_host_.*_key(\.pub)?$/,
    which: 'new',
    why: 'a host key that many have proves nothing; each run brings its own'
  },
  { folder: '/etc/dropbear', name: /_host_key$/, which: 'new', why: 'as with those of OpenSSH' },
  {
    folder: '/var/lib/NetworkManager',
    name: /^(secret_key|seen-bssids|timestamps|.*\.lease)$/,
    which: 'new',
    why: 'addresses are derived from the secret; leases are another machine’s'
  },
  ...['/var/lib/dhcp', '/var/lib/dhcpcd', '/var/lib/dhcpcd5'].map(folder => ({
    ...{ folder, name: /\.leases?$/, which: 'all' as const, why: 'leases are another machine’s' }
  })),
  { folder: '/var/lib/dbus', name: /^machine-id$/, which: 'new', why: 'names one machine' },
  {
    folder: '/var/log/journal',
    name: /\.journal~?$/,
    which: 'all',
    deeper: true,
    why: 'tells of a boot that is no user’s own'
  },
  {
    folder: '/var/log',
    name: /^(syslog|auth\.log|cron\.log|daemon\.log|debug|kern\.log|messages|user\.log|btmp|lastlog|wtmp)$/,
    which: 'new',
    why: 'as with the journal'
  },
  {
    folder: '/var/cache/apt/archives',
    name: /\.deb$/,
    which: 'all',
    why: 'installed already; they would be a good part of the cached image'
  },
  { folder: '/var/cache/apt/archives/partial', name: /./, which: 'all', why: 'half a download is of no use' },
  { folder: '/root', name: /^\.(bash_history|lesshst|wget-hsts)$/, which: 'new', why: 'what somebody typed' }
]

/** The edits that take those files out of `root`, which was `before` when the boot began. */
export async function forgetting(root: Ext4, before: Ext4): Promise<readonly Edit[]> {
  const edits: Edit[] = []
  for (const { folder, name, which, deeper } of traces) {
    const folders = deeper === true ? (await root.list(folder)).map(inner => `${folder}/${inner}`) : [folder]
    for (const place of folders) {
      const real = await root.withoutLinks(place)
      const known = which === 'new' ? new Set(await before.list(await before.withoutLinks(place))) : new Set<string>()
      for (const file of await root.list(real))
        if (name.test(file) && !known.has(file)) edits.push({ kind: 'remove', path: `${real}/${file}` })
    }
  }
  return edits
}

/** The machine's ID as it was: empty, or as Debian's installers leave it, it is made anew by each machine. */
export async function machineIdBefore(before: Ext4): Promise<readonly Edit[]> {
  const path = '/etc/machine-id'
  const text = await before.readText(path)
  const isUnset = text !== undefined && /^(uninitialized)?\s*$/.test(text)
  return isUnset ? [{ kind: 'file', path, content: text, mode: 0o444 }] : []
}
