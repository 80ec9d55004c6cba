import type { RootFacts } from '../families'
import type { Part } from './part'

/** Gives the guest a name: /etc/hostname, and 127.0.1.1 in /etc/hosts, which Debian resolves it with. */
export function hostName({ texts }: RootFacts, name: string | undefined): Part {
  if (name === undefined) return {}
  const hosts = texts?.['/etc/hosts'] ?? '127.0.0.1\tlocalhost\n'
  return {
    edits: [
      { kind: 'file', path: '/etc/hostname', content: `${name}\n`, mode: 0o644 },
      { kind: 'file', path: '/etc/hosts', content: withHostName(hosts, name), mode: 0o644 }
    ],
    notes: [`Host name: ${name}`]
  }
}

/** /etc/hosts with the host's name on the line of 127.0.1.1, see hosts(5). */
export function withHostName(hosts: string, name: string): string {
  const own = `127.0.1.1\t${name}`
  const lines = hosts.replace(/\n*$/, '').split('\n')
  const known = lines.some(line => /^127\.0\.1\.1\s/.test(line))
  return [...lines.map(line => (/^127\.0\.1\.1\s/.test(line) ? own : line)), ...(known ? [] : [own]), ''].join('\n')
}
