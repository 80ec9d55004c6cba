import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { tryTool } from '../host/exec'
import { HostFailure } from '../report/errors'

/** One change to a file system, applied offline with debugfs. Paths are absolute in the guest. */
export type Edit =
  | { readonly kind: 'folder'; readonly path: string; readonly mode: number }
  | {
      readonly kind: 'file'
      readonly path: string
      readonly content: string | Buffer
      readonly mode: number
      /** Group that owns it; by default root's. */
      readonly gid?: number
    }
  | { readonly kind: 'copy'; readonly path: string; readonly from: string; readonly mode: number }
  | { readonly kind: 'symlink'; readonly path: string; readonly target: string }
  | { readonly kind: 'remove'; readonly path: string }
  | { readonly kind: 'remove-folder'; readonly path: string }

/** What debugfs says when there was nothing to do; everything else it says on stderr is a fault. */
const harmless = [
  /^debugfs [\d.]+ \(.*\)$/,
  /^(rm|rmdir): File not found by ext2_lookup/,
  /^ext2fs_mkdir: Ext2 directory already exists/,
  /^$/
]

/** An ext4 file system inside an image file, read and edited with e2fsprogs: no root, no mount, no loop device. */
export class Ext4 {
  /** @param offset of the file system's first byte in `file`. */
  constructor(
    readonly file: string,
    readonly offset: number
  ) {}

  /** As e2fsprogs are told of it. */
  get device(): string {
    return this.offset === 0 ? this.file : `${this.file}?offset=${this.offset}`
  }

  /** Answers to what was asked since the last change. */
  private readonly known = new Map<string, Promise<{ stdout: string; stderr: string }>>()

  /** Runs a debugfs command against the file system, read-only; the same one once. */
  private ask(request: string): Promise<{ stdout: string; stderr: string }> {
    const answer = this.known.get(request) ?? tryTool('debugfs', ['-R', request, this.device])
    this.known.set(request, answer)
    return answer
  }

  /** Whether e2fsprogs can open it. */
  async isValid(): Promise<boolean> {
    const { stderr } = await this.ask('stats -h')
    return !/bad magic|while (trying to )?open|not open|can't read|corrupt/i.test(stderr)
  }

  /** The text of a file (links are followed once), or undefined if there is none. */
  async readText(path: string): Promise<string | undefined> {
    const target = (await this.linkTarget(path)) ?? path
    return (await this.kindOf(target)) === 'regular' ? (await this.ask(`cat ${quote(target)}`)).stdout : undefined
  }

  /** Whether a path exists (as anything, dangling links included). */
  async exists(path: string): Promise<boolean> {
    const { stderr } = await this.ask(`stat ${quote(path)}`)
    return !/File not found/.test(stderr)
  }

  /** Those of some paths that exist, asked at once. */
  async existing(paths: readonly string[]): Promise<ReadonlySet<string>> {
    const input = paths.map(path => `stat ${quote(path)}\n`).join('')
    const { stderr } = await tryTool('debugfs', ['-f', '-', this.device], { input })
    const missing = new Set(stderr.split('\n').map(line => /^(.*): File not found/.exec(line)?.[1]))
    return new Set(paths.filter(path => !missing.has(path)))
  }

  /** Whether a path is a folder (links are followed once). */
  async isFolder(path: string): Promise<boolean> {
    return (await this.kindOf((await this.linkTarget(path)) ?? path)) === 'directory'
  }

  /** The same path without symbolic links in its folders, which debugfs does not follow when it writes. */
  async withoutLinks(path: string, depth = 0): Promise<string> {
    // The kernel gives up at 40 links, too.
    if (depth > 40) throw new HostFailure({ symptom: `${path} leads through too many symbolic links` })
    let real = ''
    const names = path.split('/').filter(name => name !== '')
    for (const [index, name] of names.entries()) {
      const target = index === names.length - 1 ? undefined : await this.linkTarget(`${real}/${name}`)
      real = target === undefined ? `${real}/${name}` : await this.withoutLinks(`${target}/.`, depth + 1)
      real = real.replace(/\/\.$/, '')
    }
    return real
  }

  /** Names in a folder, without `.` and `..`; empty if there is no such folder. */
  async list(path: string): Promise<readonly string[]> {
    const { stdout } = await this.ask(`ls -p ${quote(path)}`)
    return stdout
      .split('\n')
      .map(line => line.split('/')[5] ?? '')
      .filter(name => name !== '' && name !== '.' && name !== '..')
  }

  /** Bytes of a regular file; undefined if there is none. */
  async size(path: string): Promise<number | undefined> {
    const { stdout } = await this.ask(`stat ${quote(path)}`)
    return /Type: regular/.test(stdout) ? Number(/\bSize: (\d+)/.exec(stdout)?.[1]) : undefined
  }

  /** `regular`, `directory`, `symlink`, …; undefined if there is nothing. */
  async kindOf(path: string): Promise<string | undefined> {
    return /Type: (\w+)/.exec((await this.ask(`stat ${quote(path)}`)).stdout)?.[1]
  }

  private async linkTarget(path: string): Promise<string | undefined> {
    const { stdout } = await this.ask(`stat ${quote(path)}`)
    if (!/Type: symlink/.test(stdout)) return undefined
    // A target of 60 bytes or more has a block of its own.
    const target = /^Fast link dest: "(.*)"$/m.exec(stdout)?.[1] ?? (await this.ask(`cat ${quote(path)}`)).stdout
    return target.startsWith('/') ? target : join(path, '..', target)
  }

  /**
   * Applies edits in order; existing files are replaced, existing folders kept. All belong to root.
   * @throws HostFailure with debugfs's words if any edit fails.
   */
  async apply(edits: readonly Edit[], workDir: string): Promise<void> {
    if (edits.length === 0) return
    const scratch = await mkdtemp(join(workDir, 'edits-'))
    const commands: string[] = []
    const there = await this.existing(edits.flatMap(({ kind, path }) => (kind === 'folder' ? [path] : [])))
    for (const [index, edit] of edits.entries()) {
      const path = quote(edit.path)
      switch (edit.kind) {
        case 'folder':
          if (!there.has(edit.path)) commands.push(`mkdir ${path}`, ...attributes(path, 0o040000 | edit.mode))
          break
        case 'file': {
          const source = join(scratch, String(index))
          await writeFile(source, edit.content)
          commands.push(`rm ${path}`, `write ${quote(source)} ${path}`, ...attributes(path, 0o100000 | edit.mode))
          if (edit.gid !== undefined) commands.push(`sif ${path} gid ${edit.gid}`)
          break
        }
        case 'copy':
          commands.push(`rm ${path}`, `write ${quote(edit.from)} ${path}`, ...attributes(path, 0o100000 | edit.mode))
          break
        case 'symlink':
          commands.push(`rm ${path}`, `symlink ${path} ${quote(edit.target)}`)
          break
        case 'remove':
          commands.push(`rm ${path}`)
          break
        case 'remove-folder':
          commands.push(`rmdir ${path}`)
          break
      }
    }
    await this.script(commands, scratch)
    await rm(scratch, { recursive: true })
  }

  /** Makes every inode of a new file system belong to one user: files keep no trace of who owned them on the host. */
  async own(uid: number, gid: number, workDir: string): Promise<void> {
    const { stdout } = await this.ask('stats -h')
    const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(stdout)?.[1])
    const used = field('Inode count') - field('Free inodes')
    // A new file system hands out inodes in order; 1 to 10 are reserved, 2 is the root folder.
    const inodes = [2, ...Array.from({ length: Math.max(0, used - 10) }, (_, index) => index + 11)]
    const scratch = await mkdtemp(join(workDir, 'own-'))
    await this.script(
      inodes.flatMap(inode => [`sif <${inode}> uid ${uid}`, `sif <${inode}> gid ${gid}`]),
      scratch
    )
    await rm(scratch, { recursive: true })
  }

  /**
   * Where `length` bytes from `start` of a file lie in the image file: one row per run of bytes.
   * @throws HostFailure if the file is not there or has holes.
   */
  async locate(path: string, start: number, length: number): Promise<readonly { offset: number; length: number }[]> {
    const { stdout: stats } = await this.ask('stats -h')
    const blockSize = Number(/^Block size:\s+(\d+)/m.exec(stats)?.[1])
    const runs: { offset: number; length: number }[] = []
    for (let at = start; at < start + length;) {
      const inBlock = at % blockSize
      const size = Math.min(blockSize - inBlock, start + length - at)
      const { stdout } = await this.ask(`bmap ${quote(path)} ${Math.floor(at / blockSize)}`)
      const block = Number(stdout.trim())
      if (!Number.isInteger(block) || block === 0)
        throw new HostFailure({ symptom: `${path} has no block ${at} in ${this.file}` })
      runs.push({ offset: this.offset + block * blockSize + inBlock, length: size })
      at += size
    }
    return runs
  }

  private async script(commands: readonly string[], scratch: string): Promise<void> {
    const file = join(scratch, 'commands')
    await writeFile(file, commands.join('\n') + '\n')
    this.known.clear()
    const { stderr } = await tryTool('debugfs', ['-w', '-f', file, this.device])
    const faults = faultsIn(stderr)
    if (faults.length > 0) {
      throw new HostFailure({
        symptom: `editing the root file system failed:\n${faults.slice(0, 5).join('\n')}`,
        remedy: 'check the image with e2fsck'
      })
    }
  }
}

function attributes(path: string, mode: number): readonly string[] {
  return [`sif ${path} mode 0${mode.toString(8)}`, `sif ${path} uid 0`, `sif ${path} gid 0`]
}

function faultsIn(stderr: string): readonly string[] {
  return stderr.split('\n').filter(line => !harmless.some(pattern => pattern.test(line)))
}

/** debugfs splits at blanks; quotes inside quotes are doubled. */
function quote(path: string): string {
  if (path.includes('\n'))
    throw new HostFailure({ symptom: `a path with a line break cannot be edited offline: ${JSON.stringify(path)}` })
  return `"${path.replaceAll('"', '""')}"`
}
