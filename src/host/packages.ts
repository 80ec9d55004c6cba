import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { tryTool, toolFailure } from './exec'
import { isRoot } from './tools'
import { messageOf } from '../report/errors'

export interface PackagesRequest {
  /** Debian's name: arm64, armhf, armel, amd64. */
  readonly architecture: string
  readonly suite: string
  /** Packages; what they depend on comes along. */
  readonly packages: readonly string[]
  /** Folder to unpack them into (made new). */
  readonly into: string
}

/** Signed with keys that hosts of 2021 have (Debian 11, Ubuntu 22.04), and with the keys of the next release in it. */
const olderSuite = 'bullseye'

/**
 * Downloads a closure of Debian packages, signature-checked by apt, and unpacks it into a folder. Nothing of it is
 * run, so the architecture does not matter. A host whose keys are too old for the release gets newer ones, for this
 * alone, out of a package that it can check.
 */
export async function fetchPackages(request: PackagesRequest): Promise<void> {
  const keys = `${request.into}.keys`
  try {
    await fetchWith(request)
  } catch (error) {
    if (!/NO_PUBKEY/.test(messageOf(error))) throw error
    await fetchWith({ ...request, suite: olderSuite, packages: ['debian-archive-keyring'], into: keys }).catch(() => {
      throw error
    })
    await fetchWith(request, join(keys, 'usr/share/keyrings/debian-archive-keyring.gpg'))
  } finally {
    await rm(keys, { recursive: true, force: true })
  }
}

const attempts = 3

async function fetchWith({ architecture, suite, packages, into }: PackagesRequest, keyring?: string): Promise<void> {
  const args = [
    // What apt says is for the error, if there is one.
    ...['--variant=extract', '--verbose', `--architectures=${architecture}`, `--include=${packages.join(',')}`],
    ...(keyring === undefined ? [] : [`--keyring=${keyring}`]),
    // As root it would mount /dev and others, for programs that are not run here; killed then, the mounts would stay.
    '--skip=chroot/mount',
    // Without root, everything has to work as this user: chrootless asks for no namespaces and no mounts.
    `--mode=${isRoot() ? 'root' : 'chrootless'}`,
    ...['--aptopt=Acquire::Retries "3"', '--aptopt=APT::Install-Recommends "false"'],
    suite,
    into
  ]
  for (let attempt = 1; ; attempt++) {
    await rm(into, { recursive: true, force: true })
    const all = attempt === attempts ? [mainSuiteAlone, ...args] : args
    const { code, stdout, stderr } = await tryTool('mmdebstrap', all)
    if (code === 0) return
    if (attempt === attempts) throw toolFailure('mmdebstrap', all, code, stderr || stdout)
  }
}

/**
 * A mirror's lists of security and other updates may contradict their signed index for days ("Mirror sync in
 * progress"); the release as it was made is there even then.
 */
export const mainSuiteAlone = `--setup-hook=sed -i '/-security\\|-updates/d' "$1"/etc/apt/sources.list`
