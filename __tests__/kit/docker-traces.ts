import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { run } from './run'

const forwarding = '/proc/sys/net/ipv4/ip_forward'
const controlGroups = '/sys/fs/cgroup'
const tables = ['filter', 'nat'] as const

/** What a Docker engine changes outside of its own folders. */
export interface DockerTraces {
  /** Rules and policies, one per line; a table without any of its own counts as none. */
  readonly rules: readonly string[]
  /** Network interfaces. */
  readonly links: readonly string[]
  readonly forwards: string
  /** Control groups of containers. */
  readonly groups: readonly string[]
}

/** Looks at them. */
export async function dockerTraces(): Promise<DockerTraces> {
  return {
    rules: (await rulesAsSaved()).filter(line => !/^(#|\*|COMMIT|:\S+ ACCEPT )/.test(line)).map(withoutCounters),
    links: (await readdir('/sys/class/net')).sort(),
    forwards: (await readFile(forwarding, 'utf8')).trim(),
    groups: await dockerGroups()
  }
}

async function rulesAsSaved(): Promise<readonly string[]> {
  return (await run('iptables-save', [])).split('\n').filter(line => line !== '')
}

const withoutCounters = (line: string): string => line.replace(/ \[\d+:\d+\]$/, '')

async function dockerGroups(): Promise<readonly string[]> {
  const below = await readdir(controlGroups).catch(() => [])
  const found = ['', ...below].map(async name => {
    const folder = join(controlGroups, name, 'docker')
    return readdir(folder).then(
      () => [folder],
      () => []
    )
  })
  return (await Promise.all(found)).flat()
}

/** Puts back what was there when this was called: the engine itself leaves its bridge, its rules and its groups. */
export async function tracesRemover(): Promise<() => Promise<void>> {
  const before = await dockerTraces()
  const saved = (await rulesAsSaved()).join('\n')
  return async () => {
    for (const link of await readdir('/sys/class/net'))
      if (/^(docker0|veth|br-)/.test(link) && !before.links.includes(link))
        await run('ip', ['link', 'delete', link], { tolerate: true })
    for (const table of tables) {
      await run('iptables', ['--wait', '-t', table, '--flush'])
      await run('iptables', ['--wait', '-t', table, '--delete-chain'])
    }
    await run('iptables', ['--wait', '--policy', 'FORWARD', 'ACCEPT'])
    await run('sh', ['-c', 'printf "%s\\n" "$1" | iptables-restore', 'restore', saved])
    await writeFile(forwarding, before.forwards)
    for (const group of await dockerGroups()) {
      if (before.groups.includes(group)) continue
      // What an engine that crashed had running goes on, and nobody else ends it.
      const running = await run('find', [group, '-name', 'cgroup.procs', '-exec', 'cat', '{}', '+'], { tolerate: true })
      for (const pid of new Set(running.split('\n').filter(line => line !== '' && line !== '0')))
        await run('kill', ['-KILL', pid], { tolerate: true })
      if (running !== '') await setTimeout(200)
      // A build's own are below it.
      await run('find', [group, '-depth', '-type', 'd', '-exec', 'rmdir', '{}', ';'])
    }
  }
}
