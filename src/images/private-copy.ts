import { chmod, stat, writeFile } from 'node:fs/promises'
import { join, posix } from 'node:path'
import { tool, tryTool } from '../host/exec'
import type { FileToPlace } from '../inputs'
import { BadInput, HostFailure } from '../report/errors'
import type { Log } from '../report/log'
import { shadowField, withShadowField } from './accounts'
import { fatTools } from './boot-text'
import { Ext4, type Edit } from './ext4'
import { slotLengths } from './keys'
import type { PreparedImage } from './prepared'
import { folder as ownFolder } from './provision/part'
import { shadowGroup } from './provision/login'

/** Changes to an image that belong to one run alone, and must get into no cache. */
export interface OwnChanges {
  readonly files: readonly FileToPlace[]
  /** Hash of a password for a user whose account has no slot for it. */
  readonly password: { readonly user: string; readonly hash: string } | undefined
  /** Whether the image's own first boot is to find the password in userconf.txt. */
  readonly userconf: boolean
}

/** What a run needs a copy of the image for; undefined if its overlay is enough. */
export function ownChanges(
  image: PreparedImage,
  {
    files,
    user,
    hash,
    firstBoot
  }: {
    readonly files: readonly FileToPlace[]
    readonly user: string
    readonly hash: string | undefined
    readonly firstBoot: 'skip' | 'run'
  }
): OwnChanges | undefined {
  const hasSlot = image.slots.some(({ content }) => content === 'password')
  const replaced = files.some(({ to }) => to === '/etc/shadow')
  const userconf = hash !== undefined && firstBoot === 'run' && answersWizard(image, user)
  const password = hash !== undefined && (userconf || !hasSlot || replaced) ? { user, hash } : undefined
  return files.length > 0 || password !== undefined ? { files, password, userconf } : undefined
}

/** userconf.txt gives a password to the first user, and renames that user if it says another name. */
export function answersWizard(image: Pick<PreparedImage, 'users' | 'userconf'>, user: string): boolean {
  return image.userconf === true && image.users[user]?.uid === 1000
}

/**
 * A copy of a prepared image in the run's folder, with the run's own changes. It lives as long as the run; on a file
 * system with reflinks it costs nothing, elsewhere as long as it takes to copy what is not a hole.
 */
export async function privateCopy(
  image: PreparedImage,
  { files, password, userconf }: OwnChanges,
  runFolder: string,
  log: Log
): Promise<PreparedImage> {
  const disk = join(runFolder, 'private.img')
  await writeFile(disk, '', { mode: 0o600 })
  await tool('cp', ['--reflink=auto', '--sparse=always', image.disk, disk])
  await chmod(disk, 0o600)
  const root = new Ext4(disk, image.layout.root.offset)
  const onBoot = (path: string): string | undefined =>
    image.bootMount !== undefined && path.startsWith(`${image.bootMount}/`)
      ? path.slice(image.bootMount.length + 1)
      : undefined
  const edits: Edit[] = []
  const folders = new Set<string>()
  for (const { from, to, mode } of files) {
    if (to.startsWith(`${ownFolder}/`)) throw new BadInput([`input \`files\` names ${to}, which belongs to pi-qemu`])
    const name = onBoot(to)
    if (name !== undefined) {
      await toBootPartition(`${disk}@@${image.layout.boot.offset}`, from, name)
      continue
    }
    if (await root.isFolder(to)) throw new BadInput([`input \`files\` names ${to}, which is a folder in the image`])
    const real = await root.withoutLinks(to)
    for (const parent of parentsOf(real)) {
      if (folders.has(parent) || (await root.exists(parent))) continue
      folders.add(parent)
      edits.push({ kind: 'folder', path: parent, mode: 0o755 })
    }
    edits.push({ kind: 'copy', path: real, from, mode: mode ?? (await stat(from)).mode & 0o7777 })
  }
  await root.apply(edits, runFolder)
  for (const { to } of files) log.info(`File: ${to}`)
  const lost = new Set(files.map(({ to }) => to))
  if (password !== undefined) await setPassword(root, password, runFolder)
  if (userconf && password !== undefined) {
    const file = join(runFolder, 'userconf.txt')
    await writeFile(file, `${password.user}:${password.hash}\n`, { mode: 0o600 })
    await toBootPartition(`${disk}@@${image.layout.boot.offset}`, file, 'userconf.txt')
    log.info('Password: in userconf.txt, for the first boot')
  }
  const kept = image.slots.filter(
    ({ path = '', content }) => !lost.has(path) && (content !== 'password' || password === undefined)
  )
  return { ...image, disk, slots: password === undefined ? kept : [...kept, await slotOf(root, password.hash)] }
}

/** /a/b for /a/b/c, and before it /a. */
function parentsOf(path: string): readonly string[] {
  const parent = posix.dirname(path)
  return parent === '/' ? [] : [...parentsOf(parent), parent]
}

async function setPassword(
  root: Ext4,
  { user, hash }: NonNullable<OwnChanges['password']>,
  workDir: string
): Promise<void> {
  const shadow = (await root.readText('/etc/shadow')) ?? ''
  if (shadowField(shadow, user) === undefined)
    throw new HostFailure({ symptom: `${user} has no line in the image's /etc/shadow, so no password can be set` })
  const content = withShadowField(shadow, user, hash)
  await root.apply([{ kind: 'file', path: '/etc/shadow', content, mode: 0o640, gid: shadowGroup }], workDir)
}

/** Where a hash lies now: `save-image` takes it out there. */
async function slotOf(root: Ext4, hash: string): Promise<PreparedImage['slots'][number]> {
  const path = '/etc/shadow'
  const at = Buffer.from((await root.readText(path)) ?? '').indexOf(hash)
  return { path, content: 'password', runs: await root.locate(path, at, slotLengths.password) }
}

async function toBootPartition(volume: string, from: string, name: string): Promise<void> {
  for (const parent of parentsOf(`/${name}`)) {
    const there = (await tryTool('mdir', ['-b', '-i', volume, `::${parent}`], fatTools)).code === 0
    if (!there) await tool('mmd', ['-i', volume, `::${parent}`], fatTools)
  }
  await tool('mcopy', ['-o', '-i', volume, from, `::/${name}`], fatTools)
}
