import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Architecture } from '../../boards'
import { tool } from '../../host/exec'
import { inNamespace, emulatorFor } from '../../host/foreign'
import { packRoot } from '../../host/foreign-scripts'
import { ensureTools } from '../../host/tools'
import { HostFailure } from '../../report/errors'
import type { Log } from '../../report/log'
import { kernelPorts } from './ports'
import { assembleImage } from '../mini/assemble'
import { mainSuiteAlone } from '../../host/packages'
import { fetchKernel, installBootFiles, type DebianKernel } from './kernel'
import {
  debianDiskId,
  debianFiles,
  debianFinish,
  debianPackages,
  debianSizes,
  debianVersion,
  leftOut,
  needlessModules
} from './recipe'

export interface DebianRequest {
  readonly architecture: Architecture
  readonly suite: string
  /** Raw image to write (sparse). */
  readonly out: string
  /** Folder for scratch files, on the same disk. */
  readonly workDir: string
  readonly log: Log
}

/**
 * Names what is built: one image serves for a calendar month (UTC), after which Debian's updates are worth the minutes
 * of a new build.
 */
export function debianIdentity(name: string, now: Date): string {
  return `${name} ${debianVersion} ${now.toISOString().slice(0, 7)}`
}

/**
 * Builds a Debian system shaped like a Raspberry Pi OS card: MBR, FAT32 boot partition with Debian's kernel under the
 * names that a Pi knows, mainline device trees, cmdline.txt and config.txt; ext4 root with systemd, OpenSSH, sudo and
 * apt. Its packages' scripts run in emulation, in a namespace of their own: nothing on the host changes.
 */
export async function buildDebian(request: DebianRequest): Promise<void> {
  const { architecture, suite, out, workDir, log } = request
  const emulator = emulatorFor(architecture)
  await ensureTools(['mmdebstrap', 'mkfs.vfat', 'cpio', 'depmod', 'xz', ...(emulator ? [emulator] : [])], log)
  const timed = stopwatch(log)
  const kernels: DebianKernel[] = []
  for (const port of kernelPorts[architecture])
    kernels.push(await fetchKernel(port, suite, join(workDir, `kernel-${port}`)))
  timed(`Kernel ${kernels.map(({ version }) => version).join(', ')}`)
  const boot = join(workDir, 'boot-partition')
  await mkdir(boot)
  for (const kernel of kernels) await installBootFiles(kernel, boot, workDir)
  const cmdline = `console=ttyAMA0,115200 root=PARTUUID=${debianDiskId}-02 rootfstype=ext4 rootwait`
  await writeFile(join(boot, 'cmdline.txt'), `${cmdline}\n`)
  await writeFile(join(boot, 'config.txt'), 'auto_initramfs=1\n')
  const additions = join(workDir, 'additions')
  await addModules(kernels, additions)
  await addFiles(additions)
  timed('Boot partition')

  const archive = join(workDir, 'root.tar')
  await installRoot(request, archive)
  timed('Packages installed')
  const scratch = join(workDir, 'scratch')
  const root = join(scratch, 'root')
  await assembleImage({
    bootDir: boot,
    rootDir: root,
    out,
    workDir,
    bootMiB: debianSizes.boot,
    rootMiB: debianSizes.root,
    diskId: debianDiskId,
    mke2fs: args =>
      inNamespace({ scratch, command: [...script(packRoot), scratch, archive, additions, 'mke2fs', ...args] })
  })
  for (const path of [...kernels.map(({ folder }) => folder), boot, additions, archive, scratch])
    await rm(path, { recursive: true })
  timed('Image assembled')
}

const script = (text: string): readonly string[] => ['bash', '-c', text, 'script']

const attempts = 3

/** The installed system as a tar archive with its owners. */
async function installRoot({ architecture, suite, workDir, log }: DebianRequest, archive: string): Promise<void> {
  const scratch = join(workDir, 'scratch')
  await mkdir(scratch)
  const args = [
    ...['--mode=root', '--variant=minbase', '--format=tar', `--architectures=${architecture}`],
    `--include=${debianPackages.join(',')}`,
    // That check knows no handler but Debian's own.
    '--skip=check/qemu',
    ...leftOut.map(line => `--dpkgopt=${line}`),
    ...['--aptopt=Acquire::Retries "3"', '--aptopt=APT::Install-Recommends "false"'],
    ...debianFinish.map(line => `--customize-hook=${line}`),
    ...[suite, archive]
  ]
  // mmdebstrap tells each of its steps with an I.
  const onLine = (line: string): void => {
    log.debug(line)
  }
  for (let attempt = 1; ; attempt++) {
    const last = attempt === attempts
    const all = last ? [mainSuiteAlone, ...args] : args
    if (last)
      log.warn(`${suite} for ${architecture} is built without security and other updates: their lists are inconsistent`)
    try {
      await rm(archive, { force: true })
      await inNamespace({ architecture, scratch, command: ['mmdebstrap', ...all], onLine })
      break
    } catch (error) {
      if (last || !(error instanceof HostFailure) || !unsettled.test(error.message)) throw error
      log.info('The archive is being updated; trying again')
    }
  }
}

/** What apt says of lists that do not fit together, or that it could not get. */
const unsettled = /Mirror sync in progress|unexpected size|Hash Sum mismatch|failed to (fetch|download)/i

/** The modules of all kernels, without what no board has a use for. */
async function addModules(kernels: readonly DebianKernel[], additions: string): Promise<void> {
  await mkdir(join(additions, 'lib/modules'), { recursive: true })
  for (const { folder, version } of kernels) {
    const target = join(additions, 'lib/modules', version)
    await tool('cp', ['-r', join(folder, 'lib/modules', version), target])
    for (const name of needlessModules) await rm(join(target, 'kernel', name), { recursive: true, force: true })
    for (const link of ['build', 'source']) await rm(join(target, link), { force: true })
    await tool('depmod', ['-b', additions, version])
  }
  // depmod looks in /lib, which is a link in the image.
  await mkdir(join(additions, 'usr'))
  await rename(join(additions, 'lib'), join(additions, 'usr/lib'))
}

async function addFiles(additions: string): Promise<void> {
  for (const [path, content] of Object.entries(debianFiles)) {
    await mkdir(dirname(join(additions, path)), { recursive: true })
    await writeFile(join(additions, path), content)
  }
}

/** Logs each step of a build with the seconds it took. */
function stopwatch(log: Log): (what: string) => void {
  let last = Date.now()
  return what => {
    const now = Date.now()
    log.info(`${what} (${((now - last) / 1000).toFixed(0)} s)`)
    last = now
  }
}
