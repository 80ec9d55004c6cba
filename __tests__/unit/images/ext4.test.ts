import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  chownSync,
  closeSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  readSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { Ext4, type Edit } from '../../../src/images/ext4'
import { makeExt4, type Ext4Request } from '../../../src/images/make-ext4'
import { HostFailure } from '../../../src/report/errors'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const MiB = 1024 * 1024

/** A new file system of 16 MiB, at the start of its file unless said otherwise. */
async function volume(changes: Partial<Ext4Request> = {}): Promise<{ readonly fs: Ext4; readonly folder: string }> {
  const folder = scratch.fresh()
  const request = { file: join(folder, 'volume.img'), size: 16 * MiB, label: 'test', journal: false, ...changes }
  await makeExt4(request)
  return { fs: new Ext4(request.file, request.offset ?? 0), folder }
}

interface Inode {
  readonly mode: string
  readonly owner: string
  readonly type: string
}

/** What debugfs says about these paths: mode (octal), owner, type. */
function inodes(fs: Ext4, paths: readonly string[]): readonly Inode[] {
  const device = fs.offset === 0 ? fs.file : `${fs.file}?offset=${fs.offset}`
  const input = paths.map(path => `stat "${path.replaceAll('"', '""')}"\n`).join('')
  const text = execFileSync('debugfs', ['-f', '-', device], {
    input,
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'ignore']
  })
  return text
    .split(/^debugfs: stat .*$/m)
    .slice(1)
    .map(part => {
      const field = (pattern: RegExp): string => pattern.exec(part)?.[1] ?? '?'
      return {
        mode: field(/Mode:\s+0?(\d{4})\b/),
        owner: `${field(/User:\s+(\d+)/)}:${field(/Group:\s+(\d+)/)}`,
        type: field(/Type: (\w+)/)
      }
    })
}

function inode(fs: Ext4, path: string): Inode {
  const [only] = inodes(fs, [path])
  if (only === undefined) throw new Error(`debugfs says nothing about ${path}`)
  return only
}

/** e2fsck's verdict: 0 if all is well. Read-only. */
function check({ file, offset }: Ext4): string {
  try {
    execFileSync('e2fsck', ['-f', '-n', offset === 0 ? file : `${file}?offset=${offset}`], { stdio: 'pipe' })
    return 'sound'
  } catch (error) {
    return String((error as { stdout: Buffer }).stdout)
  }
}

/** What is in a file system, as debugfs copies it out. */
function extracted({ file, offset }: Ext4): string {
  const to = scratch.fresh()
  execFileSync('debugfs', ['-R', `rdump / "${to}"`, `${file}?offset=${offset}`], { stdio: 'pipe' })
  return to
}

describe('a new file system', () => {
  test('is empty, sound, labelled, and of the size asked for', async () => {
    const { fs } = await volume()
    expect(await fs.list('/')).toEqual([])
    expect([await fs.isValid(), check(fs)]).toEqual([true, 'sound'])
    expect(
      execFileSync('debugfs', ['-R', 'stats -h', fs.file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
    ).toMatch(/^Filesystem volume name:\s+test$[\s\S]*^Block count:\s+4096$/m)
  })

  test('takes no more room on the host than it holds', async () => {
    const { fs } = await volume({ size: 512 * MiB })
    expect(statSync(fs.file).blocks * 512).toBeLessThan(24 * MiB)
  })

  test('inside a disk leaves what is around it alone', async () => {
    const folder = scratch.fresh()
    const file = join(folder, 'disk.img')
    writeFileSync(file, Buffer.alloc(24 * MiB, 0x55))
    await makeExt4({ file, offset: 4 * MiB, size: 16 * MiB, label: 'root' })
    const fs = new Ext4(file, 4 * MiB)
    await fs.apply([{ kind: 'file', path: '/hello', content: 'hi', mode: 0o644 }], folder)
    expect([await fs.readText('/hello'), check(fs)]).toEqual(['hi', 'sound'])
    const bytes = readFileSync(file)
    expect(bytes.length).toBe(24 * MiB)
    expect(bytes.subarray(0, 4 * MiB).equals(Buffer.alloc(4 * MiB, 0x55))).toBe(true)
    expect(bytes.subarray(20 * MiB).equals(Buffer.alloc(4 * MiB, 0x55))).toBe(true)
  })

  test('is filled from a folder: contents, modes, links', async () => {
    const from = scratch.fresh()
    mkdirSync(join(from, 'sub'))
    writeFileSync(join(from, 'sub/tool'), '#!/bin/sh\n')
    chmodSync(join(from, 'sub/tool'), 0o4755)
    chmodSync(join(from, 'sub'), 0o2750)
    symlinkSync('sub/tool', join(from, 'link'))
    const { fs } = await volume({ from })
    expect(await fs.readText('/link')).toBe('#!/bin/sh\n')
    expect([inode(fs, '/sub/tool').mode, inode(fs, '/sub').mode, inode(fs, '/link').type]).toEqual([
      '4755',
      '2750',
      'symlink'
    ])
  })
})

describe('the owner', () => {
  /** A folder with files and folders that belong to different users of this machine, where we may make such. */
  function mixedTree(files: number): string {
    const from = scratch.fresh()
    for (let index = 0; index < files; index++) {
      const folder = join(from, `folder${index % 7}`)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, `file${index}`), `${index}`)
      if (process.getuid?.() === 0) chownSync(join(folder, `file${index}`), 4321, 4321)
    }
    symlinkSync('folder0', join(from, 'link'))
    return from
  }

  test('of everything is the one asked for, to the last file', async () => {
    const { fs } = await volume({ from: mixedTree(40), owner: { uid: 2345, gid: 2346 } })
    const paths = ['/', '/link', ...Array.from({ length: 7 }, (_, at) => `/folder${at}`)]
    for (let index = 0; index < 40; index++) paths.push(`/folder${index % 7}/file${index}`)
    const owners = inodes(fs, paths).map(({ owner }, at) => `${paths[at] ?? ''} ${owner}`)
    expect(owners).toEqual(paths.map(path => `${path} 2345:2346`))
    expect(check(fs)).toBe('sound')
  })

  test('stays as it is on the host without', async () => {
    const { fs } = await volume({ from: mixedTree(3) })
    const { uid, gid } = statSync(join(mixedTree(1), 'folder0/file0'))
    expect(inode(fs, '/folder0/file0').owner).toBe(`${uid}:${gid}`)
  })
})

describe('edits', () => {
  const oddNames = [
    'plain',
    'two words',
    ` leading`,
    `it's`,
    'say "hi"',
    'back\\slash',
    '$HOME;reboot',
    '#hash',
    '(a)',
    'grün',
    '*',
    '-n',
    '<2>',
    '100%'
  ]

  test('make files, folders and links that belong to root, with their modes', async () => {
    const { fs, folder } = await volume()
    await fs.apply(
      [
        { kind: 'folder', path: '/etc', mode: 0o755 },
        { kind: 'folder', path: '/etc/deep', mode: 0o700 },
        { kind: 'file', path: '/etc/deep/secret', content: 'x\ny\n', mode: 0o600 },
        { kind: 'file', path: '/etc/sudo', content: Buffer.from([0, 1, 0xff]), mode: 0o4440 },
        { kind: 'file', path: '/etc/empty', content: '', mode: 0o644 },
        { kind: 'symlink', path: '/etc/link', target: '/etc/deep/secret' }
      ],
      folder
    )
    const seen = inodes(fs, ['/etc', '/etc/deep', '/etc/deep/secret', '/etc/sudo', '/etc/empty', '/etc/link'])
    expect(seen).toEqual([
      { mode: '0755', owner: '0:0', type: 'directory' },
      { mode: '0700', owner: '0:0', type: 'directory' },
      { mode: '0600', owner: '0:0', type: 'regular' },
      { mode: '4440', owner: '0:0', type: 'regular' },
      { mode: '0644', owner: '0:0', type: 'regular' },
      { mode: '0777', owner: '0:0', type: 'symlink' }
    ])
    expect(await fs.readText('/etc/link')).toBe('x\ny\n')
    expect(await fs.readText('/etc/empty')).toBe('')
    expect(readFileSync(join(extracted(fs), 'etc/sudo'))).toEqual(Buffer.from([0, 1, 0xff]))
    expect(check(fs)).toBe('sound')
  })

  test('replace what is there, whatever it was before: files, and links without what they point to', async () => {
    const { fs, folder } = await volume()
    const file = (path: string, content: string, mode: number): Edit => ({ kind: 'file', path, content, mode })
    await fs.apply([file('/a', 'old and long'.repeat(1000), 0o755), file('/target', 'untouched', 0o644)], folder)
    await fs.apply([{ kind: 'symlink', path: '/b', target: 'target' }], folder)
    await fs.apply([file('/a', 'new', 0o600), file('/b', 'own', 0o644)], folder)
    await fs.apply(
      [
        { kind: 'symlink', path: '/a2', target: 'x' },
        { kind: 'symlink', path: '/a2', target: 'a' }
      ],
      folder
    )
    expect(await Promise.all(['/a', '/b', '/target', '/a2'].map(path => fs.readText(path)))).toEqual([
      'new',
      'own',
      'untouched',
      'new'
    ])
    expect([inode(fs, '/a').mode, inode(fs, '/b').type]).toEqual(['0600', 'regular'])
    expect(check(fs)).toBe('sound')
  })

  test('leave a folder that exists as it is, with all it holds', async () => {
    const { fs, folder } = await volume()
    await fs.apply(
      [
        { kind: 'folder', path: '/d', mode: 0o700 },
        { kind: 'file', path: '/d/f', content: 'x', mode: 0o644 }
      ],
      folder
    )
    await fs.apply([{ kind: 'folder', path: '/d', mode: 0o755 }], folder)
    expect([inode(fs, '/d').mode, await fs.readText('/d/f')]).toEqual(['0700', 'x'])
  })

  test('come out the same when they are applied twice', async () => {
    const { fs, folder } = await volume()
    const edits: readonly Edit[] = [
      { kind: 'folder', path: '/d', mode: 0o755 },
      { kind: 'file', path: '/d/f', content: 'x', mode: 0o640 },
      { kind: 'symlink', path: '/d/l', target: 'f' },
      { kind: 'remove', path: '/gone' },
      { kind: 'remove-folder', path: '/gone-too' }
    ]
    for (let round = 0; round < 2; round++) await fs.apply(edits, folder)
    expect([[...(await fs.list('/d'))].sort(), inode(fs, '/d/f').mode, check(fs)]).toEqual([
      ['f', 'l'],
      '0640',
      'sound'
    ])
  })

  test('remove files, links and empty folders', async () => {
    const { fs, folder } = await volume()
    await fs.apply(
      [
        { kind: 'folder', path: '/d', mode: 0o755 },
        { kind: 'file', path: '/f', content: 'x', mode: 0o644 },
        { kind: 'symlink', path: '/l', target: '/f' }
      ],
      folder
    )
    await fs.apply([{ kind: 'remove', path: '/l' }], folder)
    expect([await fs.exists('/l'), await fs.exists('/f')]).toEqual([false, true])
    await fs.apply(
      [
        { kind: 'remove', path: '/f' },
        { kind: 'remove-folder', path: '/d' }
      ],
      folder
    )
    expect(await fs.list('/')).toEqual([])
    expect(check(fs)).toBe('sound')
  })

  test('take names with blanks, quotes and other odd letters', async () => {
    const { fs, folder } = await volume()
    const edits = oddNames.map((name): Edit => ({ kind: 'file', path: `/${name}`, content: `in ${name}`, mode: 0o644 }))
    await fs.apply(edits, folder)
    expect([...(await fs.list('/'))].sort()).toEqual([...oddNames].sort())
    const to = extracted(fs)
    expect(oddNames.map(name => readFileSync(join(to, name), 'utf8'))).toEqual(oddNames.map(name => `in ${name}`))
    for (const name of ['two words', 'say "hi"', '<2>']) expect(await fs.readText(`/${name}`)).toBe(`in ${name}`)
    expect(check(fs)).toBe('sound')
  })

  test('take links to such names, too', async () => {
    const { fs, folder } = await volume()
    await fs.apply(
      [
        { kind: 'file', path: '/two "words"', content: 'x', mode: 0o644 },
        { kind: 'symlink', path: '/l k', target: 'two "words"' }
      ],
      folder
    )
    expect(await fs.readText('/l k')).toBe('x')
  })

  test('leave nothing behind in the scratch folder', async () => {
    const { fs, folder } = await volume()
    await fs.apply([{ kind: 'file', path: '/secret', content: 'x', mode: 0o600 }], folder)
    expect(readdirSync(folder)).toEqual(['volume.img'])
  })

  test.each<[string, Edit]>([
    ['a folder that is missing above it', { kind: 'file', path: '/no/where', content: 'x', mode: 0o644 }],
    ['a folder in its place', { kind: 'file', path: '/d', content: 'x', mode: 0o644 }],
    ['a folder that is not empty', { kind: 'remove-folder', path: '/d' }],
    ['a name with a line break', { kind: 'file', path: '/a\nrm /b', content: 'x', mode: 0o644 }]
  ])('fail because of %s', async (_, edit) => {
    const { fs, folder } = await volume()
    await fs.apply(
      [
        { kind: 'folder', path: '/d', mode: 0o755 },
        { kind: 'file', path: '/d/f', content: 'x', mode: 0o644 }
      ],
      folder
    )
    await expect(fs.apply([edit], folder)).rejects.toThrow(HostFailure)
  })

  test('fail when the file system is full, instead of leaving half a file', async () => {
    const { fs, folder } = await volume()
    const edit: Edit = { kind: 'file', path: '/big', content: randomBytes(20 * MiB), mode: 0o644 }
    await expect(fs.apply([edit], folder)).rejects.toThrow(/editing the root file system failed/)
  })
})

describe('reading', () => {
  test('what is not there gives nothing', async () => {
    const { fs } = await volume()
    expect([await fs.readText('/none'), await fs.exists('/none'), await fs.list('/none')]).toEqual([
      undefined,
      false,
      []
    ])
  })

  test('a folder gives no text', async () => {
    const { fs, folder } = await volume()
    await fs.apply([{ kind: 'folder', path: '/d', mode: 0o755 }], folder)
    expect(await fs.readText('/d')).toBeUndefined()
  })

  test('a link that leads nowhere exists, and has no text', async () => {
    const { fs, folder } = await volume()
    await fs.apply([{ kind: 'symlink', path: '/l', target: '/nowhere' }], folder)
    expect([await fs.exists('/l'), await fs.readText('/l')]).toEqual([true, undefined])
  })

  test("goes through links in the middle of a path, as Debian's /lib is one", async () => {
    const { fs, folder } = await volume()
    await fs.apply(
      [
        { kind: 'folder', path: '/usr', mode: 0o755 },
        { kind: 'folder', path: '/usr/lib', mode: 0o755 },
        { kind: 'symlink', path: '/lib', target: 'usr/lib' },
        { kind: 'folder', path: '/usr/lib/systemd', mode: 0o755 },
        { kind: 'file', path: '/usr/lib/systemd/ssh.service', content: '', mode: 0o644 },
        { kind: 'file', path: '/usr/lib/os-release', content: 'ID=debian\n', mode: 0o644 },
        { kind: 'folder', path: '/etc', mode: 0o755 },
        { kind: 'symlink', path: '/etc/os-release', target: '../usr/lib/os-release' }
      ],
      folder
    )
    expect(await fs.list('/lib/systemd')).toEqual(['ssh.service'])
    expect([await fs.exists('/lib/os-release'), await fs.readText('/etc/os-release')]).toEqual([true, 'ID=debian\n'])
  })

  test('a link too long to be kept in its inode leads to its target, too', async () => {
    const { fs, folder } = await volume()
    const name = 'x'.repeat(100)
    await fs.apply(
      [
        { kind: 'file', path: `/${name}`, content: 'far', mode: 0o644 },
        { kind: 'symlink', path: '/l', target: `/${name}` }
      ],
      folder
    )
    expect(await fs.readText('/l')).toBe('far')
  })

  test('what is no ext4 is not valid', async () => {
    const file = join(scratch.fresh(), 'zeros')
    writeFileSync(file, Buffer.alloc(MiB))
    expect(await new Ext4(file, 0).isValid()).toBe(false)
  })
})

describe('locating', () => {
  const content = randomBytes(10_000)
  let fs: Ext4
  beforeAll(async () => {
    const folder = scratch.fresh()
    const file = join(folder, 'disk.img')
    writeFileSync(file, '')
    await makeExt4({ file, offset: 2 * MiB, size: 16 * MiB, label: 'root' })
    fs = new Ext4(file, 2 * MiB)
    await fs.apply(
      [
        { kind: 'folder', path: '/a b', mode: 0o755 },
        { kind: 'file', path: '/a b/key', content, mode: 0o600 }
      ],
      folder
    )
  })

  /** The bytes of the image file at the places named. */
  function bytesAt(file: string, runs: readonly { offset: number; length: number }[]): Buffer {
    const descriptor = openSync(file, 'r')
    const parts = runs.map(({ offset, length }) => {
      const part = Buffer.alloc(length)
      readSync(descriptor, part, 0, length, offset)
      return part
    })
    closeSync(descriptor)
    return Buffer.concat(parts)
  }

  test.each([
    [0, 399],
    [0, 4096],
    [100, 8000],
    [4095, 2],
    [0, 10_000]
  ])('byte %d and the %d from there are where it says, inside a disk', async (start, length) => {
    const runs = await fs.locate('/a b/key', start, length)
    expect(bytesAt(fs.file, runs).equals(content.subarray(start, start + length))).toBe(true)
  })

  test('a file that is not there fails', async () => {
    await expect(fs.locate('/none', 0, 10)).rejects.toThrow(/^\/none has no block 0 in /)
  })

  test('bytes behind the end of a file fail', async () => {
    await expect(fs.locate('/a b/key', 9000, 5000)).rejects.toThrow(HostFailure)
  })
})

describe('taking the tree out', () => {
  test('brings contents, modes and links, whatever the names', async () => {
    const from = scratch.fresh()
    const names = [
      'two words',
      'say "hi"',
      `it's`,
      'line\nbreak',
      'back\\slash',
      '$HOME',
      '-rf',
      'grün',
      '...',
      'x'.repeat(255)
    ]
    for (const name of names) writeFileSync(join(from, name), name)
    const raw = Buffer.concat([Buffer.from(`${from}/raw-`), Buffer.from([0xff, 0xfe, 0x80])])
    writeFileSync(raw, 'not UTF-8')
    mkdirSync(join(from, 'sub dir'))
    writeFileSync(join(from, 'sub dir/run'), 'x')
    chmodSync(join(from, 'sub dir/run'), 0o751)
    chmodSync(join(from, 'sub dir'), 0o750)
    symlinkSync('/no where', join(from, 'sub dir/link'))
    symlinkSync('y'.repeat(200), join(from, 'long link'))
    writeFileSync(join(from, 'empty'), '')

    const { fs } = await volume({ from, owner: { uid: 1000, gid: 1000 } })
    const to = extracted(fs)
    const list = (root: string): readonly string[] => readdirSync(root, { encoding: 'latin1' }).sort()
    expect(list(to)).toEqual(list(from))
    for (const name of names) expect(readFileSync(join(to, name), 'utf8')).toBe(name)
    expect(readFileSync(Buffer.concat([Buffer.from(`${to}/raw-`), Buffer.from([0xff, 0xfe, 0x80])]), 'utf8')).toBe(
      'not UTF-8'
    )
    expect([statSync(join(to, 'sub dir/run')).mode & 0o7777, statSync(join(to, 'sub dir')).mode & 0o7777]).toEqual([
      0o751, 0o750
    ])
    expect([readlinkSync(join(to, 'sub dir/link')), readlinkSync(join(to, 'long link'))]).toEqual([
      '/no where',
      'y'.repeat(200)
    ])
    expect(lstatSync(join(to, 'empty')).size).toBe(0)
  })

  test('brings large files whole, and files with holes', async () => {
    const from = scratch.fresh()
    const large = randomBytes(3 * MiB + 1)
    writeFileSync(join(from, 'large'), large)
    const holey = Buffer.concat([Buffer.from('start'), Buffer.alloc(2 * MiB), Buffer.from('end')])
    writeFileSync(join(from, 'holey'), holey)
    const { fs } = await volume({ from })
    const to = extracted(fs)
    expect([readFileSync(join(to, 'large')).equals(large), readFileSync(join(to, 'holey')).equals(holey)]).toEqual([
      true,
      true
    ])
  })
})
