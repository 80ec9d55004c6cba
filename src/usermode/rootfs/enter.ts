import { spawn } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { findTool } from '../../host/exec'
import { goingOn } from '../../host/going-on'
import { runMarker } from '../../host/processes'
import { wordsFor, type Rights } from './rights'
import { HostFailure, messageOf } from '../../report/errors'
import { namespaceScript } from './namespace-script'

/** Numbers of the system calls for which Perl and util-linux have no name, by Node's name of the architecture. */
const systemCalls: Readonly<Partial<Record<NodeJS.Architecture, Readonly<Record<string, number>>>>> = {
  x64: { unshare: 272, pivot_root: 155, umount2: 166, prctl: 157, sethostname: 170 },
  arm64: { unshare: 97, pivot_root: 41, umount2: 39, prctl: 167, sethostname: 161 }
}
/** The same everywhere. */
const newSystemCalls = { open_tree: 428, move_mount: 429, mount_setattr: 442 } as const

/** A root file system in an image, and what happens to it. */
export interface Rootfs {
  /** Raw disk image. */
  readonly disk: string
  /** Bytes, both. */
  readonly root: { readonly offset: number; readonly size: number }
  /** The boot partition, mounted where the image has it; only with {@link isWritten}. */
  readonly boot: { readonly offset: number; readonly size: number; readonly mount: string } | undefined
  /** Whether changes go to the disk itself; else they are kept apart, and thrown away. */
  readonly isWritten: boolean
}

export interface EnterRequest {
  readonly rights: Rights
  readonly rootfs: Rootfs
  /** Empty folder of this run: changes, logs and what goes in and comes out. */
  readonly at: string
  /** Lines that register handlers; with `isPrivate` only. */
  readonly handlers: readonly string[]
  /** Whether users, and with them handlers, are of a namespace of their own. */
  readonly isPrivate: boolean
  readonly user: { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string }
  /** Text that `/bin/sh` runs as the user. */
  readonly start: string
  /** What the user wrote, beside it. */
  readonly script: string
  readonly directory: string | undefined
  readonly files: readonly { readonly from: string; readonly to: string; readonly mode: number }[]
  readonly workspace: WorkspaceMount | undefined
  /** Folder of the host that appears as /run/pi-qemu-out. */
  readonly collected?: string | undefined
  /** ms */
  readonly timeout: number | undefined
  readonly onStdout: (chunk: Buffer) => void
  readonly onStderr: (chunk: Buffer) => void
}

export interface WorkspaceMount {
  /** On the host. */
  readonly source: string
  /** In the root file system. */
  readonly target: string
  /** `bind`: the folder itself; `copy`: what is changed in it stays there. */
  readonly mode: 'bind' | 'copy'
  readonly owner: { readonly uid: number; readonly gid: number }
}

/** What became of it. */
export type EnterResult = Ending & {
  /** What there is to say about how it was entered. */
  readonly notes: readonly string[]
}

type Ending =
  | { readonly kind: 'ended'; readonly code: number; readonly timedOut: boolean }
  | { readonly kind: 'killed'; readonly signal: number; readonly timedOut: boolean }
  /** This host does not allow a part of it. */
  | { readonly kind: 'refused'; readonly part: string; readonly why: string }

/** Runs a script in a root file system, in namespaces of its own. */
export async function enterRootfs(request: EnterRequest): Promise<EnterResult> {
  const { at, start, script, files, handlers, timeout } = request
  const calls = systemCalls[process.arch]
  if (calls === undefined)
    throw new HostFailure({
      symptom: `\`mode: user\` cannot run scripts on a host of the architecture ${process.arch}`
    })
  await mkdir(join(at, 'guest'), { recursive: true, mode: 0o700 })
  await writeFile(join(at, 'guest/start'), start, { mode: 0o600 })
  await writeFile(join(at, 'guest/script'), script, { mode: 0o600 })
  const rows = files.flatMap(({ from, to, mode }) => [from, to, mode.toString(8)])
  await writeFile(join(at, 'files'), rows.map(line => `${line}\n`).join(''))
  await writeFile(join(at, 'handlers'), handlers.map(line => `${line}\n`).join(''))
  // It has its room before the script may take all there is.
  await writeFile(join(at, 'status'), ' '.repeat(4096))
  // In a file, since ps shows arguments.
  await writeFile(join(at, 'enter.pl'), namespaceScript)
  // What a run starts carries its marker; sudo would drop it.
  const marker = `${runMarker}=${process.env[runMarker] ?? ''}`
  const command = [...wordsFor[request.rights], 'env', marker, 'LC_ALL=C.UTF-8', 'perl', join(at, 'enter.pl')]
  const numbers = Object.entries({ ...calls, ...newSystemCalls }).map(([name, number]) => `${name}:${number}`)
  const timedOut = await started([...command, `calls=${numbers.join(',')}`, ...argumentsOf(request)], request, timeout)
  return readStatus(await readFile(join(at, 'status'), 'utf8').catch(() => ''), timedOut)
}

function argumentsOf(request: EnterRequest): readonly string[] {
  const { rights, rootfs, at, handlers, isPrivate, user, directory, workspace, collected } = request
  const { disk, root, boot, isWritten } = rootfs
  const values: Readonly<Record<string, string | number | undefined>> = {
    ...{ at, disk, offset: root.offset, size: root.size, write: isWritten ? 1 : undefined },
    ...(boot && { bootmount: boot.mount, bootoffset: boot.offset, bootsize: boot.size }),
    unprivileged: rights === 'unprivileged' ? 1 : undefined,
    ...{ private: isPrivate ? 1 : undefined, handlers: handlers.length === 0 ? undefined : 1 },
    ...{ user: user.name, uid: user.uid, gid: user.gid, home: user.home },
    ...{ directory, collected, since: Math.floor(Date.now() / 1000) },
    ...(workspace && {
      ...{ source: workspace.source, workspace: workspace.target, workspacemode: workspace.mode },
      ...{ owneruid: workspace.owner.uid, ownergid: workspace.owner.gid }
    })
  }
  return Object.entries(values).flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
}

/** Resolves once the program has ended: whether its time was up. */
async function started(
  [program = '', ...args]: readonly string[],
  { onStdout, onStderr }: Pick<EnterRequest, 'onStdout' | 'onStderr'>,
  timeout: number | undefined
): Promise<boolean> {
  await goingOn()
  const path = await findTool(program)
  if (path === undefined)
    throw new HostFailure({
      symptom: `a root file system cannot be entered: this host has no ${program}`,
      remedy: 'install it, or use `mode: system`'
    })
  const timedOut = await new Promise<boolean>((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'] })
    let isLate = false
    const timer =
      timeout === undefined
        ? undefined
        : setTimeout(() => {
            isLate = true
            child.stdin.end('stop\n')
          }, timeout)
    child.stdin.on('error', () => undefined)
    child.stdout.on('data', onStdout)
    child.stderr.on('data', onStderr)
    child.on('error', error => {
      reject(new HostFailure({ symptom: `${program} could not be started: ${messageOf(error)}` }, { cause: error }))
    })
    child.on('close', () => {
      clearTimeout(timer)
      resolve(isLate)
    })
  })
  await goingOn()
  return timedOut
}

/** Reads what the program wrote of how it went. */
export function readStatus(text: string, timedOut: boolean): EnterResult {
  const notes = text.split('\n').flatMap(line => (line.startsWith('note ') ? [line.slice(5)] : []))
  return { ...endingIn(text, timedOut), notes }
}

function endingIn(text: string, timedOut: boolean): Ending {
  const [, exit] = /^exit (\d+)$/m.exec(text) ?? []
  const [, signal] = /^signal (\d+)$/m.exec(text) ?? []
  const [, part = 'namespaces', why = 'it ended early, and left no word'] =
    /^refused (\w+): ([\s\S]*)$/m.exec(text) ?? []
  if (/^refused /m.test(text)) return { kind: 'refused', part, why: why.trim() }
  if (exit !== undefined) return { kind: 'ended', code: Number(exit), timedOut }
  if (signal !== undefined) return { kind: 'killed', signal: Number(signal), timedOut }
  return timedOut ? { kind: 'killed', signal: 9, timedOut } : { kind: 'refused', part, why }
}
