import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { relative } from 'node:path'
import { tryTool } from './host/exec'
import type { ExtraDisk, Inputs } from './inputs'
import { BadInput } from './report/errors'

/** The first bytes of a qcow2 file (QEMU, docs/interop/qcow2.txt). */
const qcow2Magic = 'QFI\xfb'

/**
 * Looks at the user's disks before QEMU does: that they are what they are said to be, may be written, are not in use, and
 * that the files they rest on are there.
 * @throws BadInput with every fault
 */
export async function checkDisks(disks: readonly ExtraDisk[]): Promise<void> {
  const faults = (await Promise.all(disks.map(faultOf))).filter(fault => fault !== undefined)
  if (faults.length > 0) throw new BadInput(faults.map(fault => `input \`disks\` names ${fault}`))
}

async function faultOf({ path, format }: ExtraDisk): Promise<string | undefined> {
  const writable = await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false
  )
  if (!writable) return `${path}, which this user may not read and write`
  const isQcow2 = (await firstBytes(path, 4)) === qcow2Magic
  if (isQcow2 !== (format === 'qcow2')) {
    return isQcow2
      ? `${path} as raw, but it is a qcow2 file; write \`${path}:qcow2\``
      : `${path} as qcow2, but it is not a qcow2 file; write \`${path}:raw\``
  }
  // It opens what the disk rests on (backing files, a data file) as well, and asks for the lock QEMU will take.
  const { code, stderr } = await tryTool('qemu-img', ['info', '-f', format, '--backing-chain', path])
  if (code === 0) return undefined
  return /Failed to get .* lock/.test(stderr)
    ? `${path}, which is in use by another program, maybe another run`
    : `${path}, which cannot be opened: ${stderr.trim().replace(/^qemu-img: /, '')}`
}

async function firstBytes(path: string, count: number): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(count), 0, count, 0)
    return buffer.toString('latin1', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/**
 * Patterns of what stays on the host: a disk that lies in the workspace is in the guest already, and the report is written
 * when the guest is gone.
 */
export function excludedPatterns({
  syncExclude,
  disks,
  reportDir,
  workspace
}: Pick<Inputs, 'syncExclude' | 'disks' | 'reportDir' | 'workspace'>): readonly string[] {
  const inside = [...disks.map(({ path }) => path), ...(reportDir === undefined ? [] : [reportDir])]
    .map(path => relative(workspace, path))
    .filter(path => !path.startsWith('../'))
    // As in .gitignore: a backslash takes the next letter as it is.
    .map(path => `/${path.replace(/[\\*?[\]!# ]/g, '\\$&')}`)
  return [...syncExclude, ...inside]
}
