import { rm } from 'node:fs/promises'
import { tryTool, toolFailure } from '../host/exec'
import { isRoot } from '../host/tools'

export interface PackagesRequest {
  /** Debian's name: arm64, armhf, armel, amd64. */
  readonly architecture: string
  readonly suite: string
  /** Packages; what they depend on comes along. */
  readonly packages: readonly string[]
  /** Folder to unpack them into (made new). */
  readonly into: string
}

const attempts = 3

/**
 * Downloads a closure of Debian packages, signature-checked by apt, and unpacks it into a folder. Nothing of it is
 * run, so the architecture does not matter.
 */
export async function fetchPackages({ architecture, suite, packages, into }: PackagesRequest): Promise<void> {
  const args = [
    ...['--variant=extract', '--quiet', `--architectures=${architecture}`, `--include=${packages.join(',')}`],
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
