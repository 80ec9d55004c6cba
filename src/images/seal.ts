import { open, stat, truncate } from 'node:fs/promises'
import { join } from 'node:path'
import { tool, toolFailure, tryTool } from '../host/exec'
import type { Log } from '../report/log'
import { mib } from '../report/log'
import { takeBootFiles } from './boot-files'
import { Ext4 } from './ext4'
import { readRootFacts, type RootFacts } from './families'
import { eraseSlots, placeholder, slotLengths, type RunKeys } from './keys'
import { inspectDisk, usedSize } from './partitions'
import { chooseUser, describeImage, type PreparedImage, type PrepareRequest } from './prepared'
import { provisioning } from './provision'
import { passwordSlot, usableShell } from './provision/login'
import { slotFile } from './provision/part'
import type { DiskFile } from './save'
import type { Provenance } from './store'
import { forgetting, machineIdBefore } from './traces'
import { noBootFiles } from './uefi'

export interface SealRequest {
  /** The image that `prepare` started from. */
  readonly base: PreparedImage
  /** What the script left, on a machine that is switched off. */
  readonly disk: DiskFile
  /** What that machine's run wrote into the base's slots, if anything. */
  readonly keys: Partial<RunKeys['slots']>
  readonly request: PrepareRequest
  readonly provenance: Provenance
  /** Folder to make the image in. */
  readonly build: string
  readonly log: Log
}

/**
 * Makes a prepared image of the disk that a `prepare` script changed: free of the machine on which it ran, with room
 * for the keys of later runs, and with nothing in its free blocks.
 * @throws BadInput if the user asked for is not in it either
 */
export async function sealImage({
  base,
  disk: left,
  keys,
  request,
  provenance,
  build,
  log
}: SealRequest): Promise<void> {
  const disk = join(build, 'disk.img')
  await tool('qemu-img', ['convert', '-f', left.format, '-O', 'raw', '-S', '4k', left.path, disk])
  // The overlay was rounded up to a card's size; what lies behind the partitions is empty.
  await truncate(disk, Math.max(usedSize(await tool('sfdisk', ['--json', disk])), base.diskSize))
  const layout = await inspectDisk(disk)
  const [root, before] = [new Ext4(disk, layout.root.offset), new Ext4(base.disk, base.layout.root.offset)]
  await check(root)
  await eraseSlots(disk, base.slots, keys)
  const edits = [
    ...(await forgetting(root, before)),
    ...(await machineIdBefore(before)),
    ...(await ownLogin(root, keys))
  ]
  await root.apply(edits, build)
  const facts = await readRootFacts(root)
  const user = chooseUser(facts.users, request.user)
  const slots = await openSlots(root, base, { facts, user, build })
  const wanted = provisioning(facts, user, request)
  const bootFiles =
    request.firmware === undefined
      ? await takeBootFiles(disk, layout.boot.offset, join(build, 'boot'))
      : await noBootFiles(join(build, 'boot'))
  await check(root)
  // Only a file system that needs no correction is trimmed.
  await check(root, ['-E', 'discard'])
  await describeImage(build, {
    ...{ facts, root, layout, bootFiles, slots, provenance, created: base.created, replaced: base.replaced },
    kernelArguments: wanted.kernelArguments,
    release: base.release
  })
  const { blocks } = await stat(disk)
  log.info(
    `Kept what \`prepare\` did: ${facts.title}, ${mib(blocks * 512)} on disk, ${edits.length} trace(s) taken out`
  )
}

async function check({ file, offset }: Ext4, more: readonly string[] = []): Promise<void> {
  const args = ['-f', '-p', ...more, `${file}?offset=${offset}`]
  const { code, stdout, stderr } = await tryTool('e2fsck', args)
  // 1: corrected.
  if (code > 1) throw toolFailure('e2fsck', args, code, stdout + stderr)
}

/** The mini system copies the key that may log in to where dropbear looks for it. */
async function ownLogin(
  root: Ext4,
  keys: Partial<RunKeys['slots']>
): Promise<readonly { kind: 'remove'; path: string }[]> {
  const path = '/root/.ssh/authorized_keys'
  const key = keys['authorized-keys']?.toString()
  return key !== undefined && (await root.readText(path)) === key ? [{ kind: 'remove', path }] : []
}

interface Opening {
  readonly facts: RootFacts
  readonly user: string
  readonly build: string
}

/** Makes room for the keys of later runs, where their files lie now. */
async function openSlots(
  root: Ext4,
  base: PreparedImage,
  { facts, user, build }: Opening
): Promise<PreparedImage['slots']> {
  const slots: PreparedImage['slots'][number][] = []
  for (const { path, content } of base.slots) {
    if (path === undefined || content === 'password') continue
    const length = slotLengths[content]
    if ((await root.size(path)) !== length) await root.apply([slotFile(path, content, 0o600)], build)
    const runs = await root.locate(path, 0, length)
    await writeAt(root.file, runs, placeholder(content))
    slots.push({ path, content, runs })
  }
  if (facts.family === 'mini') return slots
  // The script may have added the user, or written /etc/shadow anew.
  for (const part of [usableShell(facts, user), passwordSlot(facts, user)]) {
    await root.apply(part.edits ?? [], build)
    for (const { path, content, start = 0 } of part.slots ?? [])
      slots.push({ path, content, runs: await root.locate(path, start, slotLengths[content]) })
  }
  return slots
}

async function writeAt(
  file: string,
  runs: readonly { readonly offset: number; readonly length: number }[],
  text: string
): Promise<void> {
  const handle = await open(file, 'r+')
  try {
    const bytes = Buffer.from(text)
    let done = 0
    for (const { offset, length } of runs) {
      await handle.write(bytes, done, length, offset)
      done += length
    }
  } finally {
    await handle.close()
  }
}
