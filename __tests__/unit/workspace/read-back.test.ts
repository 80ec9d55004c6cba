import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readlinkSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'
import { excluding, makeVolume, mirror, readVolume, type Manifest } from '../../../src/workspace'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

jest.setTimeout(60_000)

const scratch = scratchFolder()
const nothing = excluding([])

interface Sent {
  readonly workspace: string
  readonly volume: string
  readonly folder: string
  readonly sent: Manifest
}

async function send(workspace: string): Promise<Sent> {
  const folder = scratch.fresh()
  const volume = join(folder, 'volume.img')
  const owner = { uid: 70_000, gid: 80_000 }
  const sent = await makeVolume({ workspace, excluded: nothing, owner, file: volume, runFolder: folder })
  return { workspace, volume, folder, sent }
}

/** What a guest's kernel could have done, by debugfs. */
function inGuest({ volume, folder }: Sent, ...commands: readonly string[]): void {
  const script = join(folder, 'commands')
  writeFileSync(script, commands.join('\n') + '\n')
  execFileSync('debugfs', ['-w', '-f', script, volume], { stdio: ['ignore', 'ignore', 'ignore'] })
}

/** Paths of the files that count as touched, and of those whose contents are fetched. */
async function touched({ volume, folder, sent, workspace }: Sent): Promise<readonly (readonly string[])[]> {
  const request = { volume, sent, excluded: nothing, scratch: join(folder, 'contents') }
  return readVolume(request, async ({ left, fetch, copy }) => {
    const fetched: string[] = []
    const counting: typeof fetch = inodes => {
      fetched.push(...[...left].filter(([, { inode }]) => inodes.includes(inode)).map(([path]) => path))
      return fetch(inodes)
    }
    await mirror({ left, workspace, sent, fetch: counting, copy, log: new RecordedLog() })
    return [[...left].filter(([, { untouched }]) => !untouched).map(([path]) => path), fetched]
  })
}

/** Everything on the volume in an empty folder. */
async function everything({ volume, folder }: Sent, to = scratch.fresh()): Promise<string> {
  const request = { volume, sent: new Map(), excluded: nothing, scratch: join(folder, 'contents') }
  await readVolume(request, ({ left, fetch, copy }) =>
    mirror({ left, workspace: to, sent: new Map(), fetch, copy, log: new RecordedLog() })
  )
  return to
}

function three(): string {
  const root = scratch.fresh()
  for (const name of ['a', 'b', 'c']) writeFileSync(join(root, name), `this is ${name}`)
  return root
}

describe('of what was sent', () => {
  test('nothing is fetched when nothing was done', async () => {
    expect(await touched(await send(three()))).toEqual([[], []])
  })

  test.each([
    ['the time of its last change, whatever its size and time say', 'sif b ctime_extra 4'],
    ['its size', 'sif b size 3'],
    ['its permissions', 'sif b mode 0100600'],
    ['its time', 'sif b mtime 20200101'],
    ['its owner', 'sif b uid 5'],
    ['where it lies', 'sif b block[7] 77']
  ])('a file is fetched that differs in %s', async (_, command) => {
    const sent = await send(three())
    inGuest(sent, command)
    if (command.includes('size')) inGuest(sent, 'sif b blocks 8')
    expect(await touched(sent)).toEqual([['b'], ['b']])
  })

  test('a file is fetched that takes the place of another, as like it as can be', async () => {
    const sent = await send(three())
    const b = sent.sent.get('b')?.inode ?? 0
    const c = sent.sent.get('c')?.inode ?? 0
    // What `mv c b` leaves, but without a new time on c.
    inGuest(sent, 'unlink b', 'unlink c', `ln <${c}> b`, `clri <${b}>`)
    expect(await touched(sent)).toEqual([['b'], ['b']])
    expect(readFileSync(join(sent.workspace, 'b'), 'utf8')).toBe('this is c')
  })

  test('a file is fetched that the host has lost or changed meanwhile', async () => {
    const sent = await send(three())
    execFileSync('rm', [join(sent.workspace, 'a')])
    utimesSync(join(sent.workspace, 'b'), 1, 1)
    expect(await touched(sent)).toEqual([[], ['a', 'b']])
    expect(readFileSync(join(sent.workspace, 'a'), 'utf8')).toBe('this is a')
  })
})

test('a volume comes back with modes, links of both lengths, hard links and closed folders', async () => {
  const workspace = scratch.fresh()
  mkdirSync(join(workspace, 'closed'))
  writeFileSync(join(workspace, 'closed/file'), 'x', { mode: 0o400 })
  linkSync(join(workspace, 'closed/file'), join(workspace, 'same'))
  symlinkSync('short\ntarget', join(workspace, 'short'))
  for (const length of [59, 60, 200, 4000]) symlinkSync('l'.repeat(length), join(workspace, `link${length}`))
  chmodSync(join(workspace, 'closed'), 0o500)
  const to = await everything(await send(workspace))
  expect(statSync(join(to, 'closed')).mode & 0o7777).toBe(0o500)
  expect(readFileSync(join(to, 'closed/file'), 'utf8')).toBe('x')
  expect(statSync(join(to, 'same')).ino).toBe(statSync(join(to, 'closed/file')).ino)
  expect(statSync(join(to, 'same')).mode & 0o777).toBe(0o400)
  expect(readlinkSync(join(to, 'short'))).toBe('short\ntarget')
  for (const length of [59, 60, 200, 4000]) expect(readlinkSync(join(to, `link${length}`))).toBe('l'.repeat(length))
})

// Where the run's folder and the workspace are not on one disk; /dev/shm is one of its own on every Linux.
const other = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/pi-qemu-unit-') : scratch.fresh()
afterAll(() => {
  rmSync(other, { recursive: true })
})

test.each([
  ['the same disk', scratch.fresh()],
  ['another disk', other]
])('sparse files stay sparse, over 4 GiB and in more pieces than fit into an inode: to %s', async (_, target) => {
  const workspace = scratch.fresh()
  const [huge, holes] = [join(workspace, 'huge'), join(workspace, 'holes')]
  for (const [file, size, at] of [
    [huge, 5 * 2 ** 30 + 5, [0, 5 * 2 ** 30]],
    [holes, 2 ** 26, Array.from({ length: 1000 }, (_, index) => index * 65_536 + 4096)]
  ] as const) {
    writeFileSync(file, '')
    truncateSync(file, size)
    const fd = openSync(file, 'r+')
    for (const position of at) writeSync(fd, `at ${position}`.slice(0, size - position), position)
    closeSync(fd)
  }
  const to = await everything(await send(workspace), target)
  for (const name of ['huge', 'holes']) {
    const [before, after] = [lstatSync(join(workspace, name)), lstatSync(join(to, name))]
    expect([name, after.size]).toEqual([name, before.size])
    expect(after.blocks).toBeLessThanOrEqual(before.blocks + 16)
    // Only what is written: gigabytes of zeros take their time.
    const fd = openSync(join(to, name), 'r')
    const read = (position: number, length: number): string => {
      const bytes = Buffer.alloc(length)
      return bytes.toString('utf8', 0, readSync(fd, bytes, 0, length, position))
    }
    if (name === 'huge') expect([read(0, 6), read(5 * 2 ** 30, 6)]).toEqual(['at 0\0\0', 'at 53'])
    else execFileSync('cmp', [join(workspace, name), join(to, name)])
    closeSync(fd)
  }
})

test('many names in one folder are all found, also once it has an index', async () => {
  const workspace = scratch.fresh()
  const names = Array.from({ length: 1500 }, (_, index) => `${index}-${'n'.repeat(200)}`)
  for (const name of names) writeFileSync(join(workspace, name), '')
  const sent = await send(workspace)
  // e2fsck gives folders the index that a kernel would, and a new lost+found.
  expect(() => execFileSync('e2fsck', ['-f', '-y', '-D', sent.volume], { stdio: 'ignore' })).toThrow()
  inGuest(sent, 'rmdir lost+found')
  const to = await everything(sent)
  expect(execFileSync('ls', [to], { encoding: 'utf8' }).trim().split('\n').sort()).toEqual([...names].sort())
})

test('a volume that was made longer is read as before', async () => {
  const sent = await send(three())
  truncateSync(sent.volume, statSync(sent.volume).size + 3 * 2 ** 30 + 12_345)
  inGuest(sent, 'sif a ctime_extra 4')
  expect(await touched(sent)).toEqual([['a'], ['a']])
})

test('a file system of other features than the one that was made is not read', async () => {
  const sent = await send(three())
  execFileSync('tune2fs', ['-O', 'encrypt', sent.volume], { stdio: 'ignore' })
  await expect(touched(sent)).rejects.toThrow(/its superblock is not the one that was made/)
})
