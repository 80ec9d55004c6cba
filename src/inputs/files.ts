import { existsSync, statSync } from 'node:fs'
import { dirname, isAbsolute, posix, resolve } from 'node:path'
import { Fault, imageTarget, lines, type DiskFormat } from './readers'

/** Inputs that name files of this host. Relative paths start in the workspace. */

/** Folder in the workspace that `copy-out` fills. */
export const copyOutFolder = 'copy-out'

/** @throws Fault unless the path is a file with something in it. */
export function existingFile(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) throw new Fault(`names ${path}, which does not exist`)
  if (!stat.isFile()) throw new Fault(`names ${path}, which is not a file`)
  if (stat.size === 0) throw new Fault(`names ${path}, which is empty`)
  return path
}

/** Where `save-image` writes to. */
export function saveTarget(text: string, base: string): { path: string; format: DiskFormat } {
  const target = imageTarget(isAbsolute(text) ? text : resolve(base, text))
  if (!existsSync(dirname(target.path))) throw new Fault(`names a folder that does not exist: ${dirname(target.path)}`)
  return target
}

/** @throws Fault if it is something else than a folder, or holds the workspace. */
export function reportFolder(text: string, base: string): string {
  const path = resolve(base, text)
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat?.isDirectory() === false) throw new Fault(`names ${path}, which is not a folder`)
  if (`${base}/`.startsWith(path === '/' ? path : `${path}/`))
    throw new Fault(`names ${path}, which is or holds the workspace; valid: a folder of its own, as in \`report\``)
  return path
}

export interface ExtraDisk {
  readonly path: string
  readonly format: 'raw' | 'qcow2'
}

/** Lines `file[:format]`; without a format the name's ending decides. */
export function disks(base: string): (text: string) => readonly ExtraDisk[] {
  return text =>
    lines(text).map(line => {
      const [, name = '', given] = /^(.*?)(?::(raw|qcow2))?$/.exec(line) ?? []
      return {
        path: existingFile(resolve(base, name)),
        format: given === 'qcow2' || (given === undefined && name.endsWith('.qcow2')) ? 'qcow2' : 'raw'
      }
    })
}

export interface FileToPlace {
  /** On this host. */
  readonly from: string
  /** Absolute, in the guest. */
  readonly to: string
  /** Default: the file's own. */
  readonly mode: number | undefined
}

/** Lines `host-path:guest-path[:mode]`. */
export function filesToPlace(base: string): (text: string) => readonly FileToPlace[] {
  return text =>
    lines(text).map(line => {
      const [, from, to, mode] = /^([^:]+):(\/[^:]+)(?::([0-7]{3,4}))?$/.exec(line) ?? []
      if (from === undefined || to === undefined || to.endsWith('/')) {
        throw new Fault(
          `has the line “${line}”; valid: host-path:/guest/path or host-path:/guest/path:0755, without colons in the paths`
        )
      }
      return {
        from: existingFile(resolve(base, from)),
        to: posix.normalize(to),
        mode: mode === undefined ? undefined : Number.parseInt(mode, 8)
      }
    })
}
