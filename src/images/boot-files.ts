import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { tool, tryTool } from '../host/exec'
import { HostFailure } from '../report/errors'
import { unpack } from './unpack'

/** What is taken from the boot partition: kernels, their initramfs, device trees, and the firmware's two text files. */
const wanted = /^(kernel\w*\.img|initramfs\w*|[\w.+-]+\.dtb|cmdline\.txt|config\.txt)$/

export interface BootFiles {
  readonly names: readonly string[]
  /** Names of the device tree overlays, without their ending. */
  readonly overlays: readonly string[]
  /** `Linux version` of each kernel, where it can be read. */
  readonly kernelReleases: Readonly<Record<string, string>>
  /** Kernels that are certain to be able to start CPUs after their boot. */
  readonly hotplugKernels?: readonly string[]
}

/**
 * Copies the boot files of a FAT volume at byte `offset` of an image into a folder; compressed kernels are unpacked.
 * @throws HostFailure if the volume cannot be read or has no kernel
 */
export async function takeBootFiles(image: string, offset: number, into: string): Promise<BootFiles> {
  const volume = `${image}@@${offset}`
  // The FAT of a Pi image may be larger or smaller than its partition says; mtools would refuse it.
  const env = { MTOOLS_SKIP_CHECK: '1' }
  const { code, stdout, stderr } = await tryTool('mdir', ['-b', '-i', volume, '::'], { env })
  if (code !== 0)
    throw new HostFailure({
      symptom: `the FAT boot partition cannot be read: ${stderr.trim()}`,
      cause: 'it is damaged, or not FAT'
    })
  const names = stdout
    .split('\n')
    .map(line => line.trim().replace(/^::\//, ''))
    .filter(name => wanted.test(name))
  const own = names.some(name => name.startsWith('kernel')) ? [] : await namedFiles(volume, env)
  if (!names.some(name => name.startsWith('kernel')) && own.length === 0) {
    throw new HostFailure({
      symptom: 'the boot partition has no kernel (kernel*.img)',
      cause: 'it is not an image for a Raspberry Pi, or its kernel is elsewhere',
      remedy: 'give `kernel` (and `initrd`, `dtb`) as files'
    })
  }
  await mkdir(into, { recursive: true })
  await tool('mcopy', ['-n', '-i', volume, ...names.map(name => `::${name}`), into], { env })
  for (const { from, as } of own) await tool('mcopy', ['-n', '-i', volume, `::${from}`, join(into, as)], { env })
  const hasOverlays = (await tryTool('mdir', ['-b', '-i', volume, '::/overlays'], { env })).code === 0
  if (hasOverlays) await tool('mcopy', ['-n', '-s', '-i', volume, '::overlays', into], { env })
  const overlays = hasOverlays ? (await readdir(join(into, 'overlays'))).flatMap(overlayName) : []
  const kernelReleases: Record<string, string> = {}
  const hotplugKernels: string[] = []
  for (const name of [...names, ...own.map(({ as }) => as)].filter(entry => entry.startsWith('kernel'))) {
    await gunzip(join(into, name))
    const { release, hotplug } = await lookAtKernel(join(into, name))
    if (release !== undefined) kernelReleases[name] = release
    if (hotplug) hotplugKernels.push(name)
  }
  return { names: (await readdir(into)).filter(name => name !== 'overlays'), overlays, kernelReleases, hotplugKernels }
}

interface NamedFile {
  readonly from: string
  /** What the boards' tables call it. */
  readonly as: string
}

/** Kernel and initramfs where config.txt names them, as on Ubuntu (`vmlinuz`, `initrd.img`); those that exist. */
async function namedFiles(volume: string, env: Readonly<Record<string, string>>): Promise<readonly NamedFile[]> {
  const { code, stdout } = await tryTool('mtype', ['-i', volume, '::config.txt'], { env })
  const found: NamedFile[] = []
  for (const file of code === 0 ? filesInConfig(stdout) : [])
    if ((await tryTool('mdir', ['-b', '-i', volume, `::${file.from}`], { env })).code === 0) found.push(file)
  return found.some(({ as }) => as.startsWith('kernel')) ? found : []
}

/**
 * What a config.txt names as kernel and initramfs for all boards or without a filter: the firmware's `kernel=`,
 * `initramfs FILE ADDRESS`, `os_prefix=` and `arm_64bit=`.
 */
export function filesInConfig(config: string): readonly NamedFile[] {
  let counts = true
  const settings: Record<string, string> = {}
  for (const line of config.split('\n').map(text => text.trim())) {
    const filter = /^\[(.*)\]$/.exec(line)?.[1]
    if (filter !== undefined) counts = filter === 'all'
    const [, name, value] =
      /^(kernel|os_prefix|arm_64bit)=(\S+)$/.exec(line) ?? /^(initramfs)[ =](\S+)/.exec(line) ?? []
    if (counts && name !== undefined && value !== undefined) settings[name] = value
  }
  const { kernel, initramfs, os_prefix: prefix = '', arm_64bit: wide = '1' } = settings
  const number = wide === '0' ? '7' : '8'
  return [
    ...(kernel === undefined ? [] : [{ from: `${prefix}${kernel}`, as: `kernel${number}.img` }]),
    ...(initramfs === undefined ? [] : [{ from: `${prefix}${initramfs}`, as: `initramfs${number}` }])
  ]
}

const overlayName = (file: string): readonly string[] => (file.endsWith('.dtbo') ? [file.slice(0, -5)] : [])

async function gunzip(file: string): Promise<void> {
  const head = Buffer.alloc(2)
  const handle = await open(file, 'r')
  await handle.read(head, 0, 2, 0)
  await handle.close()
  if (head.toString('hex') !== '1f8b') return
  await unpack({
    chunks: createReadStream(file) as AsyncIterable<Buffer>,
    format: 'gz',
    target: `${file}.raw`,
    name: file
  })
  await rm(file)
  await rename(`${file}.raw`, file)
}

interface KernelFacts {
  /** The version it reports, such as `6.1.0-56-arm64`. */
  readonly release: string | undefined
  /** Whether it can start CPUs after its boot: it complains of one that does not stop, as arm64's do with CONFIG_HOTPLUG_CPU. */
  readonly hotplug: boolean
}

/** What the texts of an uncompressed kernel tell of it. */
async function lookAtKernel(file: string): Promise<KernelFacts> {
  if ((await stat(file)).size > 256 * 1024 * 1024) return { release: undefined, hotplug: false }
  const image = await readFile(file)
  const at = image.indexOf('Linux version ')
  const text = image.subarray(at + 14, at + 100).toString('latin1')
  return { release: at < 0 ? undefined : text.split(' ')[0], hotplug: image.includes('may not have shut down cleanly') }
}
