import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loopback } from '../inputs'
import type { Login } from './ssh'

/** The host's name in the file. */
export const sshHost = 'pi'

/** Name of the file in the folder of the run. */
export const sshConfigFile = 'ssh-config'

/** Writes a file for `ssh -F FILE pi`, with the guest's key known and checked; returns its path. */
export async function writeSshConfig(
  folder: string,
  { host = loopback, port, user, hostKey }: Login,
  keyFile: string
): Promise<string> {
  const known = join(folder, 'known_hosts')
  // sshd(8): the usual port goes without saying.
  const name = port === 22 ? host : `[${host}]:${port}`
  if (hostKey !== undefined) await writeFile(known, `${name} ssh-ed25519 ${hostKey.toString('base64')}\n`)
  const file = join(folder, sshConfigFile)
  // ssh expands %x in file names.
  const fileName = (path: string): string => `"${path.replaceAll('%', '%%')}"`
  const settings = {
    HostName: host,
    Port: port,
    User: user,
    IdentityFile: fileName(keyFile),
    IdentitiesOnly: 'yes',
    UserKnownHostsFile: fileName(known),
    GlobalKnownHostsFile: '/dev/null',
    StrictHostKeyChecking: hostKey === undefined ? 'accept-new' : 'yes',
    PasswordAuthentication: 'no',
    LogLevel: 'ERROR'
  }
  const lines = Object.entries(settings).map(([name, value]) => `  ${name} ${value}\n`)
  await writeFile(file, `Host ${sshHost}\n${lines.join('')}`, { mode: 0o600 })
  return file
}
