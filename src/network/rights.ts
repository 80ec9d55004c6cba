import { access, readFile } from 'node:fs/promises'
import { constants } from 'node:fs'
import { HostFailure } from '../report/errors'

/** What decides whether this process may make a tap. */
export interface TapRights {
  /** `CapEff` of /proc/self/status, hexadecimal. */
  readonly capabilities: string
  readonly isRoot: boolean
  readonly hasTun: boolean
}

const tun = '/dev/net/tun'

/** Bit of CAP_NET_ADMIN, see linux/capability.h. */
const netAdmin = 12n

/** What is missing for `network: tap`, in words. */
export function missingForTap({ capabilities, isRoot, hasTun }: TapRights): readonly string[] {
  const hasNetAdmin = ((BigInt(`0x${capabilities}`) >> netAdmin) & 1n) === 1n
  const rows: readonly (readonly [missing: boolean, what: string])[] = [
    [!isRoot, 'root'],
    // Who is not root has none of them, whatever the container was given.
    [isRoot && !hasNetAdmin, 'the capability NET_ADMIN'],
    [!hasTun, `the device ${tun}`]
  ]
  return rows.filter(([missing]) => missing).map(([, what]) => what)
}

/**
 * Whether this process may put a guest on its network; asked before anything takes long.
 * @throws HostFailure that names all that is missing
 */
export async function checkTapRights(): Promise<void> {
  const status = await readFile('/proc/self/status', 'utf8')
  const missing = missingForTap({
    capabilities: /^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0',
    isRoot: process.getuid?.() === 0,
    hasTun: await access(tun, constants.R_OK | constants.W_OK).then(
      () => true,
      () => false
    )
  })
  if (missing.length === 0) return
  throw new HostFailure({
    symptom: `\`network: tap\` needs ${missing.join(', ')}`,
    cause: 'it makes an interface on this host, or in this container',
    remedy:
      'in a container: docker run --user root --cap-add NET_ADMIN --device /dev/net/tun …; on a host: run as root; or use `network: user`'
  })
}
