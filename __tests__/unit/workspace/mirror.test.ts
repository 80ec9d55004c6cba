import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { excluding, mirror, type Manifest } from '../../../src/workspace'
import type { Left, LeftEntry } from '../../../src/workspace/read-back'
import { bytes, walk } from '../../../src/workspace/tree'
import type { SentEntry } from '../../../src/workspace/volume'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** What is at a path: a text for a file, `-> target` for a link, `folder`, or nothing. */
function at(root: string, path: string): string | undefined {
  const full = join(root, path)
  // Above it may be a file, which is no folder to look in.
  if (!existsSync(join(full, '..', '.'))) return undefined
  const stat = lstatSync(full, { throwIfNoEntry: false })
  if (stat === undefined) return undefined
  if (stat.isSymbolicLink()) return `-> ${readlinkSync(full)}`
  return stat.isDirectory() ? 'folder' : readFileSync(full, 'utf8')
}

/** Everything in a folder, by path. */
function contents(root: string, folder = ''): Record<string, string | undefined> {
  const result: Record<string, string | undefined> = {}
  for (const name of readdirSync(join(root, folder)).sort()) {
    const path = folder === '' ? name : `${folder}/${name}`
    result[path] = at(root, path)
    if (result[path] === 'folder') Object.assign(result, contents(root, path))
  }
  return result
}

const past = 1_700_000_000

/** Makes files (`path: text`), links (`path: -> target`) and folders (`path/: `), all some time ago. */
function make(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    const full = join(root, path)
    mkdirSync(path.endsWith('/') ? full : join(full, '..'), { recursive: true })
    if (text.startsWith('-> ')) symlinkSync(text.slice(3), full)
    else if (!path.endsWith('/')) {
      writeFileSync(full, text)
      utimesSync(full, past, past)
    }
  }
}

/** A workspace that was handed over to a guest, and what the guest has of it, to be changed by a test on either side. */
class Exchange {
  readonly host = scratch.fresh()
  readonly guest: string
  readonly log = new RecordedLog()
  /** Files whose contents were wanted. */
  readonly fetched: string[] = []
  private manifest: Manifest = new Map()
  private readonly modes = new Map<string, number>()
  private readonly excluded

  constructor(files: Readonly<Record<string, string>>, patterns: readonly string[] = [], guestParent = scratch.root) {
    make(this.host, files)
    this.excluded = excluding(patterns)
    this.guest = mkdtempSync(join(guestParent, 'guest-'))
  }

  static begin(...request: ConstructorParameters<typeof Exchange>): Exchange {
    const exchange = new Exchange(...request)
    const sent = new Map<string, SentEntry>()
    for (const { path, stat } of walk(exchange.host, exchange.excluded)) {
      const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'link'
      exchange.modes.set(path, Number(stat.mode) & 0o7777)
      sent.set(path, { kind, size: stat.size, mtimeNs: stat.mtimeNs, mode: Number(stat.mode) & 0o7777 })
      const target = bytes(exchange.guest, path)
      if (stat.isDirectory()) mkdirSync(target)
      else if (stat.isSymbolicLink()) symlinkSync(readlinkSync(bytes(exchange.host, path)), target)
      else {
        writeFileSync(target, readFileSync(bytes(exchange.host, path)))
        // The volume keeps whole seconds.
        utimesSync(target, Number(stat.mtimeNs / 1_000_000_000n), Number(stat.mtimeNs / 1_000_000_000n))
      }
      if (!stat.isSymbolicLink()) chmodSync(target, Number(stat.mode) & 0o7777)
    }
    exchange.manifest = sent
    return exchange
  }

  /** The guest writes a file. */
  write(path: string, text: string): void {
    mkdirSync(join(this.guest, path, '..'), { recursive: true })
    writeFileSync(join(this.guest, path), text)
  }

  /** What the guest's folder says, as a volume would. */
  private left(): { readonly left: Left; readonly files: ReadonlyMap<number, Buffer> } {
    const left = new Map<string, LeftEntry>()
    const files = new Map<number, Buffer>()
    for (const { path, stat } of walk(this.guest, this.excluded)) {
      const full = bytes(this.guest, path)
      const inode = Number(stat.ino)
      const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : 'link'
      const before = this.manifest.get(path)
      const mode = Number(stat.mode) & 0o7777
      const untouched =
        before?.kind === kind &&
        before.size === stat.size &&
        before.mtimeNs / 1_000_000_000n === stat.mtimeNs / 1_000_000_000n &&
        (kind !== 'file' || this.modes.get(path) === mode)
      left.set(path, {
        ...{ kind, inode, mode, size: Number(stat.size), mtimeNs: stat.mtimeNs, untouched },
        ...(kind === 'link' && { target: readlinkSync(full, { encoding: 'buffer' }) })
      })
      if (kind === 'file') files.set(inode, full)
    }
    return { left, files }
  }

  /** Brings back what the guest left. */
  end(): ReturnType<typeof mirror> {
    const { left, files } = this.left()
    const fetch = (inodes: readonly number[]): Promise<(inode: number) => Buffer> => {
      this.fetched.push(...inodes.map(inode => String(files.get(inode)).slice(this.guest.length + 1)))
      const wanted = new Set(inodes)
      return Promise.resolve(inode => (wanted.has(inode) ? files.get(inode) : undefined) ?? Buffer.from('/not fetched'))
    }
    const copy = (inode: number, path: Buffer): Promise<void> => {
      cpSync(String(files.get(inode)), path.toString(), { preserveTimestamps: true })
      return Promise.resolve()
    }
    return mirror({ left, workspace: this.host, sent: this.manifest, fetch, copy, log: this.log })
  }
}

const project = { 'a.txt': 'a', 'src/main.c': 'main', 'src/util.c': 'util', 'docs/': '', link: '-> a.txt' }

describe('what the guest changed', () => {
  test('nothing: then nothing is written', async () => {
    const exchange = Exchange.begin(project)
    const before = contents(exchange.host)
    expect(await exchange.end()).toEqual({ written: 0, deleted: 0 })
    expect(contents(exchange.host)).toEqual(before)
    expect(statSync(join(exchange.host, 'a.txt')).mtimeMs).toBe(past * 1000)
    expect(exchange.log.entries).toEqual([])
    expect(exchange.fetched).toEqual([])
  })

  test('a little: then little is fetched', async () => {
    const exchange = Exchange.begin(project)
    exchange.write('src/main.c', 'MAIN')
    exchange.write('new', 'new')
    unlinkSync(join(exchange.host, 'src/util.c'))
    expect(await exchange.end()).toEqual({ written: 3, deleted: 0 })
    expect(exchange.fetched).toEqual(['new', 'src/main.c', 'src/util.c'])
  })

  test('new files, folders and links appear', async () => {
    const exchange = Exchange.begin(project)
    exchange.write('out/deep/result.txt', 'new')
    mkdirSync(join(exchange.guest, 'empty'))
    symlinkSync('out', join(exchange.guest, 'latest'))
    expect(await exchange.end()).toEqual({ written: 5, deleted: 0 })
    expect(contents(exchange.host)).toMatchObject({
      ...{ out: 'folder', 'out/deep/result.txt': 'new', empty: 'folder', latest: '-> out', 'src/main.c': 'main' }
    })
  })

  test('changed files are replaced, by length or by content alone', async () => {
    const exchange = Exchange.begin(project)
    exchange.write('a.txt', 'longer')
    exchange.write('src/main.c', 'MAIN')
    expect(await exchange.end()).toEqual({ written: 2, deleted: 0 })
    expect([at(exchange.host, 'a.txt'), at(exchange.host, 'src/main.c'), at(exchange.host, 'src/util.c')]).toEqual([
      ...['longer', 'MAIN', 'util']
    ])
  })

  test('large files are compared to their last byte', async () => {
    const exchange = Exchange.begin({ big: 'x'.repeat(600_001) })
    exchange.write('big', `${'x'.repeat(600_000)}y`)
    expect(await exchange.end()).toEqual({ written: 1, deleted: 0 })
    expect(at(exchange.host, 'big')?.endsWith('xy')).toBe(true)
  })

  test('the time of a file that is the same stays, even if the guest touched it', async () => {
    const exchange = Exchange.begin(project)
    utimesSync(join(exchange.guest, 'a.txt'), past + 100, past + 100)
    expect(await exchange.end()).toEqual({ written: 0, deleted: 0 })
    expect(statSync(join(exchange.host, 'a.txt')).mtimeMs).toBe(past * 1000)
  })

  test('modes alone are taken over: of files and folders', async () => {
    const exchange = Exchange.begin(project)
    chmodSync(join(exchange.guest, 'a.txt'), 0o755)
    chmodSync(join(exchange.guest, 'docs'), 0o2770)
    await exchange.end()
    expect([
      statSync(join(exchange.host, 'a.txt')).mode & 0o7777,
      statSync(join(exchange.host, 'docs')).mode & 0o7777
    ]).toEqual([...[0o755, 0o2770]])
    expect(statSync(join(exchange.host, 'a.txt')).mtimeMs).toBe(past * 1000)
  })

  test('new files have their modes', async () => {
    const exchange = Exchange.begin(project)
    exchange.write('tool', '#!/bin/sh')
    chmodSync(join(exchange.guest, 'tool'), 0o4751)
    await exchange.end()
    expect(statSync(join(exchange.host, 'tool')).mode & 0o7777).toBe(0o4751)
  })

  test('a folder that the guest closed still gets what is in it', async () => {
    const exchange = Exchange.begin(project)
    exchange.write('closed/inner/file', 'x')
    for (const path of ['closed/inner', 'closed']) chmodSync(join(exchange.guest, path), 0o500)
    await exchange.end()
    expect(at(exchange.host, 'closed/inner/file')).toBe('x')
    expect(statSync(join(exchange.host, 'closed')).mode & 0o7777).toBe(0o500)
  })

  test('links that point elsewhere now', async () => {
    const exchange = Exchange.begin(project)
    unlinkSync(join(exchange.guest, 'link'))
    symlinkSync('src', join(exchange.guest, 'link'))
    expect(await exchange.end()).toEqual({ written: 1, deleted: 0 })
    expect(at(exchange.host, 'link')).toBe('-> src')
  })

  test('a link that became a file is replaced, and what it pointed to stays', async () => {
    const exchange = Exchange.begin(project)
    unlinkSync(join(exchange.guest, 'link'))
    exchange.write('link', 'own')
    await exchange.end()
    expect([at(exchange.host, 'link'), at(exchange.host, 'a.txt')]).toEqual(['own', 'a'])
  })

  test('a file that became a link', async () => {
    const exchange = Exchange.begin(project)
    unlinkSync(join(exchange.guest, 'a.txt'))
    symlinkSync('src/main.c', join(exchange.guest, 'a.txt'))
    await exchange.end()
    expect([at(exchange.host, 'a.txt'), at(exchange.host, 'src/main.c')]).toEqual(['-> src/main.c', 'main'])
  })

  test('a folder that became a file', async () => {
    const exchange = Exchange.begin(project)
    rmSync(join(exchange.guest, 'src'), { recursive: true })
    exchange.write('src', 'flat')
    await exchange.end()
    expect(contents(exchange.host)).toEqual({ 'a.txt': 'a', docs: 'folder', link: '-> a.txt', src: 'flat' })
  })

  test('a file that became a folder', async () => {
    const exchange = Exchange.begin(project)
    unlinkSync(join(exchange.guest, 'a.txt'))
    exchange.write('a.txt/inner', 'deep')
    await exchange.end()
    expect([at(exchange.host, 'a.txt'), at(exchange.host, 'a.txt/inner')]).toEqual(['folder', 'deep'])
  })

  test('names of any bytes', async () => {
    const exchange = Exchange.begin({ 'line\nbreak': 'x' })
    const raw = 'raw-\xff\xfe'
    writeFileSync(bytes(exchange.guest, raw), 'raw')
    unlinkSync(join(exchange.guest, 'line\nbreak'))
    expect(await exchange.end()).toEqual({ written: 1, deleted: 1 })
    expect(readFileSync(bytes(exchange.host, raw), 'utf8')).toBe('raw')
    expect(readdirSync(exchange.host)).toHaveLength(1)
  })
})

describe('what the guest deleted', () => {
  test('is deleted: files, links, folders', async () => {
    const exchange = Exchange.begin(project)
    for (const path of ['a.txt', 'src', 'docs', 'link']) rmSync(join(exchange.guest, path), { recursive: true })
    // two files in src, src itself, a.txt, docs and the link
    expect(await exchange.end()).toEqual({ written: 0, deleted: 6 })
    expect(contents(exchange.host)).toEqual({})
  })

  test('is deleted only if it was sent: what came to be on the host meanwhile stays', async () => {
    const exchange = Exchange.begin(project)
    make(exchange.host, { 'new on host': 'x', 'src/new on host': 'y' })
    rmSync(join(exchange.guest, 'src'), { recursive: true })
    await exchange.end()
    expect(contents(exchange.host)).toMatchObject({ 'new on host': 'x', 'src/new on host': 'y' })
    expect(at(exchange.host, 'src/main.c')).toBeUndefined()
  })

  test('stays if it changed on the host meanwhile, with a warning', async () => {
    const exchange = Exchange.begin(project)
    writeFileSync(join(exchange.host, 'a.txt'), 'edited on the host')
    unlinkSync(join(exchange.guest, 'a.txt'))
    expect(await exchange.end()).toEqual({ written: 0, deleted: 0 })
    expect(at(exchange.host, 'a.txt')).toBe('edited on the host')
    expect(exchange.log.of('warn')).toEqual(['a.txt was deleted in the guest, but changed on the host meanwhile: kept'])
  })

  test('may be gone on the host as well', async () => {
    const exchange = Exchange.begin(project)
    unlinkSync(join(exchange.host, 'a.txt'))
    unlinkSync(join(exchange.guest, 'a.txt'))
    expect(await exchange.end()).toEqual({ written: 0, deleted: 0 })
  })
})

describe('what changed on the host meanwhile', () => {
  test('and not in the guest is kept, with a warning', async () => {
    const exchange = Exchange.begin(project)
    writeFileSync(join(exchange.host, 'a.txt'), 'edited on the host')
    expect(await exchange.end()).toEqual({ written: 0, deleted: 0 })
    expect(at(exchange.host, 'a.txt')).toBe('edited on the host')
    expect(exchange.log.of('warn')).toEqual([
      'a.txt changed on the host while the script ran, and not in the guest: kept'
    ])
  })

  test("and in the guest, too, is the guest's: the script's result is what was asked for", async () => {
    const exchange = Exchange.begin(project)
    writeFileSync(join(exchange.host, 'a.txt'), 'edited on the host')
    exchange.write('a.txt', 'edited in the guest')
    await exchange.end()
    expect(at(exchange.host, 'a.txt')).toBe('edited in the guest')
  })

  test('to the same as in the guest is no conflict', async () => {
    const exchange = Exchange.begin(project)
    writeFileSync(join(exchange.host, 'a.txt'), 'both')
    exchange.write('a.txt', 'both')
    expect(await exchange.end()).toEqual({ written: 0, deleted: 0 })
    expect(exchange.log.entries).toEqual([])
  })
})

describe('what is excluded', () => {
  const files = { ...project, 'build/cache/x': 'precious', 'notes.local': 'mine' }

  test('is not touched: not deleted, not written', async () => {
    const exchange = Exchange.begin(files, ['build/cache', '*.local'])
    exchange.write('build/cache/x', 'from the guest')
    exchange.write('notes.local', 'from the guest')
    exchange.write('new.local', 'from the guest')
    await exchange.end()
    expect(contents(exchange.host)).toMatchObject({ 'build/cache/x': 'precious', 'notes.local': 'mine' })
    expect(at(exchange.host, 'new.local')).toBeUndefined()
  })

  test('keeps the folder around it that the guest deleted', async () => {
    const exchange = Exchange.begin({ ...files, 'build/sent': 'x' }, ['build/cache'])
    rmSync(join(exchange.guest, 'build'), { recursive: true })
    await exchange.end()
    expect([at(exchange.host, 'build/cache/x'), at(exchange.host, 'build/sent')]).toEqual(['precious', undefined])
  })

  test.each([
    [
      'file',
      (path: string) => {
        writeFileSync(path, 'flat')
      }
    ],
    [
      'link',
      (path: string) => {
        symlinkSync('src', path)
      }
    ]
  ])('survives when the folder around it became a %s in the guest', async (_, replace) => {
    const exchange = Exchange.begin({ ...files, 'build/sent': 'x' }, ['build/cache'])
    rmSync(join(exchange.guest, 'build'), { recursive: true })
    replace(join(exchange.guest, 'build'))
    await exchange.end()
    expect(at(exchange.host, 'build/cache/x')).toBe('precious')
  })
})

describe('links to folders', () => {
  /** A folder outside of the workspace, which must stay as it is. */
  function outside(files: Readonly<Record<string, string>>): string {
    const folder = scratch.fresh()
    make(folder, files)
    return folder
  }

  test('are never written through, when the guest has a folder there', async () => {
    const exchange = Exchange.begin(project)
    const elsewhere = outside({ 'main.c': 'not ours' })
    rmSync(join(exchange.host, 'src'), { recursive: true })
    symlinkSync(elsewhere, join(exchange.host, 'src'))
    exchange.write('src/main.c', 'MAIN')
    exchange.write('src/new.c', 'new')
    await exchange.end()
    expect(contents(elsewhere)).toEqual({ 'main.c': 'not ours' })
  })

  test('do not hide that a folder is missing, when the host has moved it away and left a link to it', async () => {
    const exchange = Exchange.begin(project)
    const elsewhere = outside({})
    renameSync(join(exchange.host, 'src'), join(elsewhere, 'src'))
    symlinkSync(join(elsewhere, 'src'), join(exchange.host, 'src'))
    await exchange.end()
    expect(contents(exchange.host)).toMatchObject({ src: 'folder', 'src/main.c': 'main', 'src/util.c': 'util' })
    expect(contents(join(elsewhere, 'src'))).toEqual({ 'main.c': 'main', 'util.c': 'util' })
  })

  test('are never deleted through, when the host has moved a folder away and left a link to it', async () => {
    const exchange = Exchange.begin(project)
    const elsewhere = outside({})
    renameSync(join(exchange.host, 'src'), join(elsewhere, 'src'))
    symlinkSync(join(elsewhere, 'src'), join(exchange.host, 'src'))
    rmSync(join(exchange.guest, 'src'), { recursive: true })
    await exchange.end()
    expect(contents(join(elsewhere, 'src'))).toEqual({ 'main.c': 'main', 'util.c': 'util' })
  })

  test('are never deleted through, when the guest has moved a folder and left a link to it', async () => {
    const exchange = Exchange.begin(project)
    renameSync(join(exchange.guest, 'src'), join(exchange.guest, 'sources'))
    symlinkSync('sources', join(exchange.guest, 'src'))
    await exchange.end()
    expect(contents(exchange.host)).toMatchObject({
      ...{ src: '-> sources', 'sources/main.c': 'main', 'sources/util.c': 'util' }
    })
  })

  test('that the guest put in place of a folder lead nothing out of the workspace', async () => {
    const exchange = Exchange.begin(project)
    const elsewhere = outside({ 'main.c': 'main', 'util.c': 'util' })
    rmSync(join(exchange.guest, 'src'), { recursive: true })
    symlinkSync(elsewhere, join(exchange.guest, 'src'))
    await exchange.end()
    expect(contents(elsewhere)).toEqual({ 'main.c': 'main', 'util.c': 'util' })
    expect(at(exchange.host, 'src')).toBe(`-> ${elsewhere}`)
  })
})

describe('from another disk', () => {
  // Where the run's folder and the workspace are not on one disk; /dev/shm is one of its own on every Linux.
  const other = existsSync('/dev/shm') ? mkdtempSync('/dev/shm/pi-qemu-unit-') : scratch.fresh()
  afterAll(() => {
    rmSync(other, { recursive: true })
  })

  test('files come with their times and modes, and leave nothing beside them', async () => {
    const exchange = Exchange.begin(project, [], other)
    exchange.write('a.txt', 'changed')
    exchange.write('tool', 'new')
    chmodSync(join(exchange.guest, 'tool'), 0o755)
    utimesSync(join(exchange.guest, 'tool'), past + 7, past + 7)
    await exchange.end()
    expect(contents(exchange.host)).toEqual({
      ...{
        'a.txt': 'changed',
        docs: 'folder',
        link: '-> a.txt',
        src: 'folder',
        'src/main.c': 'main',
        'src/util.c': 'util'
      },
      tool: 'new'
    })
    const { mode, mtimeMs } = statSync(join(exchange.host, 'tool'))
    expect([mode & 0o7777, mtimeMs]).toEqual([0o755, (past + 7) * 1000])
  })

  test('links replace what was there, and files replace links without following them', async () => {
    const exchange = Exchange.begin(project, [], other)
    unlinkSync(join(exchange.guest, 'src/util.c'))
    symlinkSync('main.c', join(exchange.guest, 'src/util.c'))
    unlinkSync(join(exchange.guest, 'link'))
    exchange.write('link', 'own')
    await exchange.end()
    expect(contents(exchange.host)).toMatchObject({ 'src/util.c': '-> main.c', link: 'own', 'a.txt': 'a' })
  })

  test('a name of the greatest length is no hindrance', async () => {
    const exchange = Exchange.begin(project, [], other)
    exchange.write('n'.repeat(255), 'long')
    await exchange.end()
    expect(at(exchange.host, 'n'.repeat(255))).toBe('long')
  })
})
