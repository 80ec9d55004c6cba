import { run } from './run'
import { exclusively, kitCache } from './once'

/** Installs Debian packages on this machine if they are missing (as root). Returns those it had to install. */
export async function needs(packages: readonly string[]): Promise<readonly string[]> {
  if ((await missing(packages)).length === 0) return []
  return exclusively(`${kitCache}/apt.lock`, async () => {
    const wanted = await missing(packages)
    if (wanted.length === 0) return []
    const env = { DEBIAN_FRONTEND: 'noninteractive' }
    // Another program may hold apt's own lock for a moment.
    const options = ['-o', 'DPkg::Lock::Timeout=300', '-q']
    await run('apt-get', [...options, 'update'], { env })
    await run('apt-get', [...options, 'install', '--yes', '--no-install-recommends', ...wanted], { env })
    return wanted
  })
}

async function missing(packages: readonly string[]): Promise<readonly string[]> {
  const format = '${Package} ${db:Status-Abbrev}\n'
  // dpkg-query ends with 1 when one of them is not known at all.
  const known = await run('dpkg-query', ['--show', `--showformat=${format}`, ...packages], { tolerate: true })
  const installed = new Set(known.split('\n').flatMap(line => /^(\S+) ii/.exec(line)?.[1] ?? []))
  return packages.filter(name => !installed.has(name))
}
