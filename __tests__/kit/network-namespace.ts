import { run } from './run'

/** A network of two hosts: this one, and a namespace that stands for a container. */
export interface NetworkNamespace {
  /** In front of a command that is to run there. */
  readonly under: readonly string[]
  /** What there is of interfaces, addresses, routes, proxies and forwarding, as text. */
  readonly state: () => Promise<string>
  readonly remove: () => Promise<void>
}

/** Addresses that are for documentation alone (RFC 5737): no network that this host is on has them. */
const [here, there] = ['203.0.113.1', '203.0.113.2'] as const

/** Makes one; forwarding is off there, as on a host that nobody has told otherwise. */
export async function networkNamespace(): Promise<NetworkNamespace> {
  const name = `pi-qemu-test-${process.pid}`
  const [outer, inner] = [`pqt${process.pid}`, 'eth0']
  const under = ['ip', 'netns', 'exec', name]
  const inside = (program: string, ...args: readonly string[]): Promise<string> =>
    run('ip', [...under.slice(1), program, ...args])
  await run('ip', ['netns', 'add', name])
  await run('ip', ['link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name])
  await run('ip', ['address', 'add', `${here}/24`, 'dev', outer])
  await run('ip', ['link', 'set', outer, 'up'])
  for (const link of ['lo', inner]) await inside('ip', 'link', 'set', link, 'up')
  await inside('ip', 'address', 'add', `${there}/24`, 'dev', inner)
  await inside('ip', 'route', 'add', 'default', 'via', here)
  await inside('sysctl', '-q', '-w', 'net.ipv4.ip_forward=0')
  return {
    under,
    state: async () =>
      (
        await Promise.all([
          inside('ip', '-o', '-4', 'address', 'show'),
          inside('ip', '-o', 'link', 'show'),
          inside('ip', '-4', 'route', 'show', 'table', 'all'),
          inside('ip', 'neighbour', 'show', 'proxy'),
          inside('sysctl', '-a', '--pattern', '^net[.]ipv4[.](ip_forward$|conf.*(forwarding|proxy_arp)$)')
        ])
      ).join('\n'),
    remove: async () => {
      await run('ip', ['netns', 'delete', name])
      await run('ip', ['link', 'delete', outer], { tolerate: true })
    }
  }
}
