import { findTool, tryTool } from '../../host/exec'
import { isRoot } from '../../host/tools'
import { HostFailure } from '../../report/errors'

/** As whom a root file system is entered. */
export type Rights = 'root' | 'sudo' | 'unprivileged'

/** Words in front of the program that enters. */
export const wordsFor: Readonly<Record<Rights, readonly string[]>> = {
  root: [],
  sudo: ['sudo', '-n'],
  // Root of new namespaces, with the subordinate users of /etc/subuid; all in them ends with the program.
  unprivileged: [
    ...['unshare', '--user', '--map-root-user', '--map-auto', '--mount'],
    ...['--pid', '--fork', '--kill-child', '--mount-proc']
  ]
}

/** What it takes without root, by Debian's packages. */
const needed = { newuidmap: 'uidmap', fuse2fs: 'fuse2fs' } as const

/**
 * The rights there are on this host: root, sudo without a password, else what the kernel gives everybody.
 * @throws HostFailure if there are none
 */
export async function rightsHere(): Promise<Rights> {
  if (isRoot()) return 'root'
  const works = async ([program = '', ...args]: readonly string[]): Promise<string | undefined> => {
    if ((await findTool(program)) === undefined) return `no ${program}`
    const { code, stderr } = await tryTool(program, [...args, 'true'])
    return code === 0 ? undefined : stderr.trim()
  }
  const sudo = await works(wordsFor.sudo)
  if (sudo === undefined) return 'sudo'
  const missing: string[] = []
  for (const [program, name] of Object.entries(needed)) if ((await findTool(program)) === undefined) missing.push(name)
  const why = missing.length > 0 ? `lacks ${missing.join(', ')}` : await works(wordsFor.unprivileged)
  if (why === undefined) return 'unprivileged'
  throw new HostFailure({
    symptom: `a root file system cannot be entered: not as root (${sudo}), and not as this user (${why})`,
    cause:
      missing.length > 0
        ? undefined
        : 'unprivileged user namespaces are forbidden here, or /etc/subuid does not name this user',
    remedy: `allow sudo without a password, or install ${Object.values(needed).join(' and ')}; or use \`mode: system\`, which needs neither`
  })
}
