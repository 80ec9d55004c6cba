import { lstat, readdir, readFile, readlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** What of ours exists on this host at one instant: a line of text for each thing, the same line as long as it lives. */
export type HostState = ReadonlySet<string>

export interface HostStateOptions {
  /** Folders whose contents count too, all the way down. */
  readonly roots: readonly string[]
}

/** What came and went between two {@link hostState}s. */
export interface HostDifference {
  readonly added: readonly string[]
  readonly removed: readonly string[]
}

/** Programs that only the product and its tests start here. */
const programs = /^(qemu-|mmdebstrap$|xz$)/

/** Scratch folders of tests themselves, which live until jest ends. */
const testScratch = /^pi-qemu-(test|unit)-/

/**
 * Looks at processes of ours, listening sockets, mounts, loop devices, binfmt_misc entries, and files: `pi-qemu*` in
 * the temporary folder, and all in `roots`. Sockets are the whole host's: start a test's servers before the first look.
 */
export async function hostState({ roots }: HostStateOptions): Promise<HostState> {
  const temporary = (await list(tmpdir())).filter(name => name.startsWith('pi-qemu') && !testScratch.test(name))
  const parts = await Promise.all([
    processes(),
    tcpListeners('tcp'),
    tcpListeners('tcp6'),
    unixListeners(),
    mounts(),
    loopDevices(),
    binfmtEntries(),
    ...temporary.map(name => files(join(tmpdir(), name))),
    ...roots.map(root => files(root))
  ])
  return new Set(parts.flat())
}

/** Compares two looks. Use as `expect(difference(before, after)).toEqual(unchanged)`. */
export function difference(before: HostState, after: HostState): HostDifference {
  return {
    added: [...after].filter(line => !before.has(line)).sort(),
    removed: [...before].filter(line => !after.has(line)).sort()
  }
}

/** What {@link difference} gives when nothing was left behind and nothing taken away. */
export const unchanged: HostDifference = { added: [], removed: [] }

/** All of it may vanish while we look: then it is not there. */
const text = (path: string): Promise<string> => readFile(path, 'utf8').catch(() => '')
const list = (path: string): Promise<string[]> => readdir(path).catch(() => [])
const rows = async (path: string): Promise<readonly (readonly string[])[]> =>
  (await text(path))
    .split('\n')
    .filter(line => line !== '')
    .map(line => line.trim().split(/\s+/))

async function processes(): Promise<readonly string[]> {
  const pids = (await list('/proc')).filter(name => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async pid => {
      // proc(5): the name is in parentheses and may contain some; state is the field behind it, start time the 20th.
      const stat = /^\d+ \((.*)\) (.*)$/s.exec(await text(`/proc/${pid}/stat`))
      const [, name = '', rest = ''] = stat ?? []
      const fields = rest.split(' ')
      if (stat === null || fields[0] === 'Z') return []
      const environment = (await text(`/proc/${pid}/environ`)).split('\0')
      const marked = environment.some(variable => variable.startsWith('PI_QEMU_RUN='))
      if (!marked && !programs.test(name)) return []
      const command = (await text(`/proc/${pid}/cmdline`)).split('\0').join(' ').trim().slice(0, 200)
      return [`process ${pid} (started at tick ${fields[19] ?? '?'}): ${command || name}`]
    })
  )
  return found.flat()
}

/** /proc/net/tcp: column 1 is the local address in hex, column 3 the state, 0A is LISTEN. */
async function tcpListeners(family: 'tcp' | 'tcp6'): Promise<readonly string[]> {
  const listening = (await rows(`/proc/net/${family}`)).filter(row => row[3] === '0A')
  return listening.map(row => {
    const [address = '', port = ''] = (row[1] ?? '').split(':')
    return `${family} port ${Number.parseInt(port, 16)} on ${family === 'tcp' ? ipv4(address) : address}`
  })
}

/** The kernel prints the address as a number of the host's byte order. */
function ipv4(hex: string): string {
  return [3, 2, 1, 0].map(index => Number.parseInt(hex.slice(index * 2, index * 2 + 2), 16)).join('.')
}

/** /proc/net/unix: column 3 are the flags (__SO_ACCEPTCON marks a listener), column 7 the path. */
async function unixListeners(): Promise<readonly string[]> {
  const listening = (await rows('/proc/net/unix')).filter(row => (Number.parseInt(row[3] ?? '', 16) & 0x10000) !== 0)
  return listening.flatMap(row => (row[7] === undefined ? [] : [`unix socket ${row[7]}`]))
}

/** proc(5), mountinfo: column 4 is the mount point; behind the `-` come type and source. */
async function mounts(): Promise<readonly string[]> {
  return (await rows('/proc/self/mountinfo')).map(row => {
    const dash = row.indexOf('-')
    return `mount ${row[4] ?? ''} (${row[dash + 1] ?? ''} ${row[dash + 2] ?? ''})`
  })
}

async function loopDevices(): Promise<readonly string[]> {
  const names = (await list('/sys/block')).filter(name => name.startsWith('loop'))
  const backed = names.map(async name => [name, (await text(`/sys/block/${name}/loop/backing_file`)).trim()] as const)
  return (await Promise.all(backed)).flatMap(([name, file]) => (file === '' ? [] : [`loop device ${name}: ${file}`]))
}

/** Whole contents, so that a handler put back with other flags shows; and the global switch in `status`. */
async function binfmtEntries(): Promise<readonly string[]> {
  const folder = '/proc/sys/fs/binfmt_misc'
  const names = (await list(folder)).filter(name => name !== 'register')
  return Promise.all(
    names.map(async name => `binfmt ${name}: ${(await text(join(folder, name))).trim().replaceAll('\n', ', ')}`)
  )
}

async function files(path: string): Promise<readonly string[]> {
  const info = await lstat(path).catch(() => undefined)
  if (info === undefined) return []
  if (info.isSymbolicLink()) return [`link ${path} -> ${await readlink(path).catch(() => '?')}`]
  if (!info.isDirectory()) return [`file ${path}`]
  const below = await Promise.all((await list(path)).map(name => files(join(path, name))))
  return [`folder ${path}`, ...below.flat()]
}
