import { execFileSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ext4 } from '../../../src/images/ext4'
import { slotLengths } from '../../../src/images/keys'
import { assembleImage } from '../../../src/images/mini/assemble'
import { inspectDisk } from '../../../src/images/partitions'
import type { PreparedImage } from '../../../src/images/prepared'
import { ownChanges, privateCopy } from '../../../src/images/private-copy'
import type { Log } from '../../../src/report/log'
import { preparedImage } from '../samples'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const quiet = (): undefined => undefined
const log: Log = {
  info: quiet,
  warn: quiet,
  error: quiet,
  debug: quiet,
  group: quiet,
  endGroup: quiet,
  progress: quiet
}
const hash = `$6$${'s'.repeat(16)}$${'h'.repeat(86)}`
const file = (to: string, from = '/etc/hostname', mode?: number) => ({ from, to, mode })

describe('a copy of the image is made', () => {
  const slot = { path: '/etc/shadow', content: 'password', runs: [] } as const
  const users = { pi: { uid: 1000, gid: 1000, home: '/home/pi' }, other: { uid: 1001, gid: 1001, home: '/home/o' } }
  const locked = preparedImage({ slots: [slot], userconf: true, users })
  const open = preparedImage({ slots: [], userconf: true, users })
  const base = { files: [], user: 'pi', hash: undefined, firstBoot: 'skip' } as const

  test.each([
    ['nothing is asked for', locked, {}, undefined],
    ['the password has its slot', locked, { hash }, undefined],
    ['the first boot runs without a password', locked, { firstBoot: 'run' }, undefined],
    ['another user has a password at the first boot', locked, { firstBoot: 'run', hash, user: 'other' }, undefined],
    ['there are files', locked, { files: [file('/a')] }, { password: undefined, userconf: false }],
    ['the account has a password already', open, { hash }, { password: { user: 'pi', hash }, userconf: false }],
    [
      'userconf.txt has to be written',
      locked,
      { hash, firstBoot: 'run' },
      { password: { user: 'pi', hash }, userconf: true }
    ],
    [
      'a file takes the place of the slot',
      locked,
      { hash, files: [file('/etc/shadow')] },
      { password: { user: 'pi', hash }, userconf: false }
    ]
  ] as const)('or not, if %s', (_, image, wishes, changes) => {
    const found = ownChanges(image, { ...base, ...wishes })
    if (changes === undefined) expect(found).toBeUndefined()
    else expect(found).toMatchObject(changes)
  })
})

describe('the copy', () => {
  let image: PreparedImage
  let host: string
  beforeAll(async () => {
    const workDir = scratch.fresh()
    const [bootDir, rootDir] = [join(workDir, 'boot'), join(workDir, 'root')]
    for (const path of ['etc', 'usr/lib', 'srv']) mkdirSync(join(rootDir, path), { recursive: true })
    execFileSync('ln', ['-s', 'usr/lib', join(rootDir, 'lib')])
    execFileSync('ln', ['-s', '/usr/lib', join(rootDir, 'srv/abs')])
    writeFileSync(join(rootDir, 'etc/shadow'), 'root:*:1::::::\npi:$y$old:1::::::\n')
    writeFileSync(join(rootDir, 'etc/motd'), 'old\n')
    mkdirSync(bootDir)
    writeFileSync(join(bootDir, 'cmdline.txt'), 'x\n')
    const disk = join(workDir, 'disk.img')
    await assembleImage({
      bootDir,
      rootDir,
      out: disk,
      workDir,
      bootMiB: 40,
      rootMiB: 16,
      diskId: '00000001',
      ownedByRoot: true
    })
    const layout = await inspectDisk(disk)
    const root = new Ext4(disk, layout.root.offset)
    const slots = [
      { path: '/etc/motd', content: 'password-login', runs: await root.locate('/etc/motd', 0, 4) }
    ] as const
    image = preparedImage({ disk, layout, slots, bootMount: '/boot/firmware', userconf: true })
    host = scratch.fresh()
    writeFileSync(join(host, 'a "file".sh'), 'one\n')
    chmodSync(join(host, 'a "file".sh'), 0o640)
  })

  const made = async (...wishes: Parameters<typeof privateCopy>[1][]) => {
    const copy = await privateCopy(
      image,
      wishes[0] ?? { files: [], password: undefined, userconf: false },
      scratch.fresh(),
      log
    )
    return { copy, root: new Ext4(copy.disk, copy.layout.root.offset) }
  }
  const stat = (disk: string, path: string): string =>
    execFileSync('debugfs', ['-R', `stat ${path}`, `${disk}?offset=${image.layout.root.offset}`], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore']
    })

  test('has the files with their modes, owned by root, in folders made for them; the image has not', async () => {
    const from = join(host, 'a "file".sh')
    const before = readFileSync(image.disk)
    const files = [
      file('/opt/new dir/deep/tool', from, 0o4755),
      file('/opt/new dir/own', from),
      file('/etc/motd', from)
    ]
    const { copy, root } = await made({ files, password: undefined, userconf: false })
    expect(await root.readText('/opt/new dir/deep/tool')).toBe('one\n')
    expect(stat(copy.disk, '"/opt/new dir/deep/tool"')).toMatch(/Mode: {2}04755[\s\S]*User: {5}0 {3}Group: {5}0/)
    expect(stat(copy.disk, '"/opt/new dir/own"')).toContain('Mode:  0640')
    expect(stat(copy.disk, '"/opt/new dir"')).toMatch(/Type: directory {4}Mode: {2}0755/)
    expect(await root.readText('/etc/motd')).toBe('one\n')
    // Whoever replaces a file that holds a slot has what he put there.
    expect(copy.slots).toEqual([])
    expect(readFileSync(image.disk).equals(before)).toBe(true)
    expect(statSync(copy.disk).mode & 0o077).toBe(0)
    expect(
      execFileSync('e2fsck', ['-f', '-n', `${copy.disk}?offset=${image.layout.root.offset}`], { encoding: 'utf8' })
    ).toContain('files')
  })

  test('follows links to folders', async () => {
    const from = join(host, 'a "file".sh')
    const files = [file('/lib/x/y', from), file('/srv/abs/z', from)]
    const { root } = await made({ files, password: undefined, userconf: false })
    expect([await root.readText('/usr/lib/x/y'), await root.readText('/usr/lib/z')]).toEqual(['one\n', 'one\n'])
  })

  test('has files below the boot mount on the boot partition', async () => {
    const files = [file('/boot/firmware/extra/more/note.txt', join(host, 'a "file".sh'))]
    const { copy } = await made({ files, password: undefined, userconf: false })
    const volume = `${copy.disk}@@${image.layout.boot.offset}`
    expect(execFileSync('mtype', ['-i', volume, '::extra/more/note.txt'], { encoding: 'utf8' })).toBe('one\n')
  })

  test('has the password in place of an old one, and its slot where it lies', async () => {
    const { copy, root } = await made({ files: [], password: { user: 'pi', hash }, userconf: true })
    expect(await root.readText('/etc/shadow')).toBe(`root:*:1::::::\npi:${hash}:1::::::\n`)
    expect(stat(copy.disk, '/etc/shadow')).toMatch(/Mode: {2}0640[\s\S]*Group: {4}42/)
    const slot = copy.slots.find(({ content }) => content === 'password')
    const [run] = slot?.runs ?? []
    const bytes = readFileSync(copy.disk).subarray(run?.offset, (run?.offset ?? 0) + slotLengths.password)
    expect(bytes.toString()).toBe(hash)
    const volume = `${copy.disk}@@${image.layout.boot.offset}`
    expect(execFileSync('mtype', ['-i', volume, '::userconf.txt'], { encoding: 'utf8' })).toBe(`pi:${hash}\n`)
  })

  test.each([
    ['/etc/pi-qemu/authorized_keys', /belongs to pi-qemu/],
    ['/etc', /is a folder in the image/],
    ['/lib', /is a folder in the image/]
  ])('is refused for %s', async (to, message) => {
    await expect(made({ files: [file(to)], password: undefined, userconf: false })).rejects.toThrow(message)
  })

  test('is refused for a password of nobody', async () => {
    const password = { user: 'nobody', hash }
    await expect(made({ files: [], password, userconf: false })).rejects.toThrow(/nobody has no line/)
  })
})
