import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { HostFailure } from '../report/errors'
import type { Log } from '../report/log'
import { findTool, toolFailure, tryTool } from './exec'
import { installMarker, runMarker } from './processes'

interface Tool {
  /** False where the package is wanted for its files alone. */
  readonly program?: false
  /** Debian's and Ubuntu's package. */
  readonly package: string
  /** How to ask for its version; the first line that has a digit is shown. */
  readonly version?: readonly string[]
  /** Files that prove the package, where the command alone does not. */
  readonly files?: readonly string[]
}

/** Every program we start, and where it comes from. */
export const tools = {
  'qemu-system-aarch64': { package: 'qemu-system-arm', version: ['--version'] },
  'qemu-img': { package: 'qemu-utils', version: ['--version'] },
  'qemu-io': { package: 'qemu-utils' },
  sfdisk: { package: 'fdisk', version: ['--version'] },
  mcopy: { package: 'mtools', version: ['--version'] },
  'mkfs.vfat': { package: 'dosfstools' },
  mke2fs: { package: 'e2fsprogs' },
  e2fsck: { package: 'e2fsprogs' },
  resize2fs: { package: 'e2fsprogs' },
  debugfs: { package: 'e2fsprogs', version: ['-V'] },
  xz: { package: 'xz-utils', version: ['--version'] },
  zstd: { package: 'zstd', version: ['--version'] },
  gzip: { package: 'gzip' },
  bsdtar: { package: 'libarchive-tools' },
  cpio: { package: 'cpio' },
  depmod: { package: 'kmod' },
  'qemu-aarch64-static': { package: 'qemu-user-static', version: ['--version'] },
  'qemu-arm-static': { package: 'qemu-user-static', version: ['--version'] },
  'qemu-riscv64-static': { package: 'qemu-user-static' },
  'qemu-ppc64le-static': { package: 'qemu-user-static' },
  'qemu-s390x-static': { package: 'qemu-user-static' },
  'qemu-mips64el-static': { package: 'qemu-user-static' },
  'qemu-loongarch64-static': { package: 'qemu-user-static' },
  'qemu-x86_64-static': { package: 'qemu-user-static' },
  'qemu-i386-static': { package: 'qemu-user-static' },
  perl: { package: 'perl-base' },
  prlimit: { package: 'util-linux', version: ['--version'] },
  ip: { package: 'iproute2', version: ['-Version'] },
  dnsmasq: { package: 'dnsmasq-base', version: ['--version'] },
  fdtput: { package: 'device-tree-compiler' },
  ssh: { package: 'openssh-client', version: ['-V'] },
  'ssh-keygen': { package: 'openssh-client' },
  openssl: { package: 'openssl', version: ['version'] },
  'uefi-arm64': {
    package: 'qemu-efi-aarch64',
    program: false,
    files: ['/usr/share/AAVMF/AAVMF_CODE.fd', '/usr/share/AAVMF/AAVMF_VARS.fd']
  },
  'uefi-armhf': {
    package: 'qemu-efi-arm',
    program: false,
    files: ['/usr/share/AAVMF/AAVMF32_CODE.fd', '/usr/share/AAVMF/AAVMF32_VARS.fd']
  },
  // Ubuntu's mmdebstrap can check Debian's signatures only with Debian's keys.
  mmdebstrap: {
    package: 'mmdebstrap',
    version: ['--version'],
    files: ['/usr/share/keyrings/debian-archive-keyring.gpg']
  }
} as const satisfies Readonly<Record<string, Tool>>

export type ToolName = keyof typeof tools

/** Packages that come along with a tool's own. */
const companions: Readonly<Partial<Record<ToolName, readonly string[]>>> = { mmdebstrap: ['debian-archive-keyring'] }

/** Whether we run as root, and so need no sudo. */
export function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** Tools of the list that this host lacks. */
export async function missingTools(names: readonly ToolName[]): Promise<readonly ToolName[]> {
  const missing: ToolName[] = []
  for (const name of names) {
    const row: Tool = tools[name]
    const complete = await Promise.all((row.files ?? []).map(file => exists(file, constants.R_OK)))
    const found = row.program === false || (await findTool(name)) !== undefined
    if (!found || complete.includes(false)) missing.push(name)
  }
  return missing
}

/** Whether a tool tells its version. */
export function hasVersion(name: ToolName): boolean {
  return 'version' in tools[name]
}

/** First line of a tool's own version message. */
export async function toolVersion(name: ToolName): Promise<string> {
  const row: Tool = tools[name]
  if (row.version === undefined) return 'present'
  const { stdout, stderr } = await tryTool(name, row.version)
  return (
    (stdout + stderr)
      .split('\n')
      .find(line => /\d/.test(line))
      ?.trim() ?? 'present'
  )
}

/**
 * Makes sure that the tools are there; installs packages with apt if, and only if, something is missing.
 * @throws HostFailure if that cannot be done
 */
export async function ensureTools(names: readonly ToolName[], log: Log): Promise<void> {
  addSbinToPath()
  const missing = await missingTools(names)
  if (missing.length > 0) await install(packagesFor(missing), log)
  const left = await missingTools(missing)
  if (left.length > 0) {
    throw new HostFailure({
      symptom: `still missing after installation: ${left.join(', ')}`,
      remedy: `install ${packagesFor(left).join(' ')} by hand`
    })
  }
}

/** apt packages that bring the tools. */
export function packagesFor(names: readonly ToolName[]): readonly string[] {
  return [...new Set(names.flatMap(name => [tools[name].package, ...(companions[name] ?? [])]))].sort()
}

async function install(packages: readonly string[], log: Log): Promise<void> {
  if ((await findTool('apt-get')) === undefined) {
    throw new HostFailure({
      symptom: `this host lacks ${packages.join(', ')}, and has no apt-get to install them`,
      remedy: "install them (by Debian's names) with the host's own package manager"
    })
  }
  const sudo = isRoot() ? [] : ['sudo', '-n']
  if (sudo.length > 0 && (await tryTool('sudo', ['-n', 'true']).catch(() => ({ code: 1 }))).code !== 0) {
    throw new HostFailure({
      symptom: `this host lacks ${packages.join(', ')}, and sudo is not allowed without a password`,
      remedy: `run: sudo apt-get install --no-install-recommends ${packages.join(' ')}`
    })
  }
  log.info(`Installing ${packages.join(', ')}`)
  const apt = ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=3']
  const add = [...apt, 'install', '--no-install-recommends', ...packages]
  // The lists may be absent or stale, so an update follows the first failure.
  for (let attempt = 1; ; attempt++) {
    const { code, stdout, stderr } = await asInstaller(sudo, add)
    if (code === 0) return
    if (attempt === 3) throw toolFailure('apt-get', add.slice(1), code, stderr + stdout)
    log.info(attempt === 1 ? 'Updating the package lists' : 'Trying again')
    await asInstaller(sudo, [...apt, 'update'])
    if (attempt > 1) await sleep(5000)
  }
}

/**
 * The version that apt would install of a package; undefined without apt, or if it knows none. Lists that are absent,
 * as on a bare machine, are fetched where that is allowed.
 */
export async function aptCandidate(name: string, log: Log): Promise<string | undefined> {
  if ((await findTool('apt-cache')) === undefined || (await findTool('apt-get')) === undefined) return undefined
  const ask = async (): Promise<string | undefined> =>
    /^ +Candidate: (\d\S*)$/m.exec((await tryTool('apt-cache', ['policy', name])).stdout)?.[1]
  const known = await ask()
  if (known !== undefined) return known
  const sudo = isRoot() ? [] : ['sudo', '-n']
  if (sudo.length > 0 && (await tryTool('sudo', ['-n', 'true']).catch(() => ({ code: 1 }))).code !== 0) return undefined
  log.info('Updating the package lists')
  await asInstaller(sudo, ['apt-get', '-q', '-y', '-o', 'DPkg::Lock::Timeout=300', 'update'])
  return ask()
}

/** The marker of this run is replaced: see {@link installMarker}. sudo would drop what is set in front of it. */
async function asInstaller(sudo: readonly string[], command: readonly string[]): ReturnType<typeof tryTool> {
  const marker = `${installMarker}=${process.env[runMarker] ?? ''}`
  const [program = '', ...args] = [
    ...sudo,
    'env',
    '-u',
    runMarker,
    marker,
    'DEBIAN_FRONTEND=noninteractive',
    ...command
  ]
  return tryTool(program, args, { input: '' })
}

function addSbinToPath(): void {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  process.env['PATH'] = [...folders, ...['/usr/sbin', '/sbin'].filter(folder => !folders.includes(folder))].join(
    delimiter
  )
}

async function exists(path: string, mode: number): Promise<boolean> {
  return access(path, mode).then(
    () => true,
    () => false
  )
}
