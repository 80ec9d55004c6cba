import { posix } from 'node:path'
import { replaceShell, shadowField, shellOf, withPasswordSlot } from '../accounts'
import type { Edit } from '../ext4'
import type { RootFacts } from '../families'
import { folder, replacing, slotFile, type Part } from './part'

/** Keys that may log in, whoever the user is; the mini system's SSH server reads {@link miniAuthorizedKeys}, a copy made when it starts. */
export const authorizedKeys = `${folder}/authorized_keys`
export const miniAuthorizedKeys = '/root/.ssh/authorized_keys'
const hostKey = `${folder}/ssh_host_ed25519_key`
const passwordLogin = `${folder}/sshd_password.conf`

export function miniLogin(): Part {
  const dropbearKey = `${folder}/dropbear_host_key`
  return {
    edits: [
      { kind: 'folder', path: folder, mode: 0o755 },
      slotFile(authorizedKeys, 'authorized-keys', 0o600),
      slotFile(dropbearKey, 'dropbear-host-key', 0o600)
    ],
    slots: [
      { path: authorizedKeys, content: 'authorized-keys' },
      { path: dropbearKey, content: 'dropbear-host-key' }
    ],
    notes: ["SSH: this run's key for root, and its host key"]
  }
}

export function sshLogin(facts: RootFacts): Part {
  const settings = [
    '# Written by pi-qemu: login with the key of the run, to a host whose key is known beforehand.',
    `HostKey ${hostKey}`,
    `AuthorizedKeysFile .ssh/authorized_keys ${authorizedKeys}`,
    'PermitRootLogin prohibit-password',
    'PubkeyAuthentication yes',
    'UseDNS no',
    // An sshd without drop-ins may be too old for it; it allows passwords unless its file says otherwise.
    ...(facts.sshDropIns ? [`Include ${passwordLogin}`] : []),
    ''
  ].join('\n')
  const path = facts.sshDropIns ? '/etc/ssh/sshd_config.d/00-pi-qemu.conf' : '/etc/ssh/sshd_config'
  const before = facts.sshDropIns ? undefined : facts.sshConfig
  // sshd takes the first value it meets, so ours have to come first.
  const config: Part =
    before === undefined
      ? { edits: [{ kind: 'file', path, content: settings, mode: 0o644 }] }
      : replacing({ path, before, after: `${settings}${before}` })
  const unit = facts.units.has('ssh.service') ? 'ssh.service' : 'sshd.service'
  return {
    edits: [
      { kind: 'folder', path: folder, mode: 0o755 },
      slotFile(authorizedKeys, 'authorized-keys', 0o644),
      slotFile(hostKey, 'host-key', 0o600),
      ...(facts.sshDropIns ? [slotFile(passwordLogin, 'password-login', 0o644)] : []),
      ...(config.edits ?? []),
      ...enable(unit, 'multi-user.target')
    ],
    slots: [
      { path: authorizedKeys, content: 'authorized-keys' },
      { path: hostKey, content: 'host-key' },
      ...(facts.sshDropIns ? [{ path: passwordLogin, content: 'password-login' } as const] : [])
    ],
    replaced: config.replaced ?? [],
    notes: [`SSH: enabled (${unit}), this run's key for every user, its host key in ${path}`]
  }
}

/**
 * Debian's way to enable a unit: a link in the folder of the target that wants it.
 * @param from where the unit's file is
 */
export function enable(unit: string, target: string, from = '/lib/systemd/system'): readonly Edit[] {
  const wants = `/etc/systemd/system/${target}.wants`
  return [
    { kind: 'folder', path: wants, mode: 0o755 },
    { kind: 'symlink', path: posix.join(wants, unit), target: posix.join(from, unit) }
  ]
}

/** Debian's and Ubuntu's group of /etc/shadow, whose number base-passwd fixes. */
export const shadowGroup = 42

/**
 * Room for the hash of a run's password in /etc/shadow, where the account is locked and so has no password to lose.
 * The placeholder locks it just as well.
 */
export function passwordSlot({ texts }: RootFacts, user: string): Part {
  const shadow = texts?.['/etc/shadow'] ?? ''
  const change = withPasswordSlot(shadow, user)
  if (change === undefined) {
    const state = shadowField(shadow, user) === undefined ? 'is not in /etc/shadow' : 'has a password, which stays'
    return { notes: [`Password: ${user} ${state}`] }
  }
  return {
    edits: [{ kind: 'file', path: '/etc/shadow', content: change.shadow, mode: 0o640, gid: shadowGroup }],
    slots: [{ path: '/etc/shadow', content: 'password', start: change.start }],
    notes: [`Password: ${user} is locked, unless the run has a password`]
  }
}

/** A user whose shell refuses everybody could not run a script. */
export function usableShell({ texts }: RootFacts, user: string): Part {
  const passwd = texts?.['/etc/passwd'] ?? ''
  const shell = shellOf(passwd, user)
  if (shell === undefined || !/\/(nologin|false)$/.test(shell)) return {}
  return {
    edits: [{ kind: 'file', path: '/etc/passwd', content: replaceShell(passwd, user, '/bin/bash'), mode: 0o644 }],
    notes: [`Shell: /bin/bash for ${user}, whose shell was ${shell}`]
  }
}

export function passwordlessSudo(facts: RootFacts, user: string): Part {
  if (user === 'root' || !facts.paths.has('/etc/sudoers.d')) return {}
  // A name that sorts last wins over other rules for the same user.
  const path = '/etc/sudoers.d/zz-pi-qemu'
  return {
    edits: [{ kind: 'file', path, content: `${user} ALL=(ALL:ALL) NOPASSWD: ALL\n`, mode: 0o440 }],
    notes: [`sudo: without a password for ${user}`]
  }
}
