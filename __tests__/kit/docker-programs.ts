import { mkdir, rename, rm, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { fetchPackages } from '../../src/host/packages'
import { needs } from './needs'
import { contentHash, kitCache, madeOnce } from './once'

const packages = ['docker.io', 'docker-cli', 'docker-buildx', 'containerd', 'docker-registry']

/** What is kept of them, and where it lies in the packages. */
const programs = [
  ...['docker', 'docker-registry', 'containerd', 'containerd-shim-runc-v2'].map(name => `usr/bin/${name}`),
  ...['dockerd', 'docker-proxy'].map(name => `usr/sbin/${name}`),
  'usr/libexec/docker/cli-plugins/docker-buildx',
  // What `docker-init` is a link to.
  'usr/bin/tini-static'
]

/**
 * A folder with Docker's programs of Debian 13: the engine of Debian 12 cannot push an image for several platforms.
 * Nothing of them is installed. runc and iptables, which do not run outside of their release, are the host's.
 */
export async function dockerPrograms(): Promise<string> {
  await needs(['iptables', 'runc', 'mmdebstrap', 'debian-archive-keyring'])
  const architecture = process.arch === 'arm64' ? 'arm64' : 'amd64'
  return madeOnce(`${kitCache}/docker-${contentHash([architecture, packages, programs])}`, async unfinished => {
    const tree = `${unfinished}.tree`
    try {
      await fetchPackages({ architecture, suite: 'trixie', packages, into: tree })
      await mkdir(unfinished)
      for (const path of programs) await rename(join(tree, path), join(unfinished, path.replace(/.*\//, '')))
      await symlink('tini-static', join(unfinished, 'docker-init'))
    } finally {
      await rm(tree, { recursive: true, force: true })
    }
  })
}
