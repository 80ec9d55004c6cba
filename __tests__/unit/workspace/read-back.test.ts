import { linkSync, mkdirSync, readFileSync, readlinkSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { excluding, makeVolume, readVolume } from '../../../src/workspace'
import { listed } from '../../../src/workspace/read-back'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const section = (...rows: readonly string[]): string => ['<12>', ...rows, ''].join('\n')
const file = (name: string, inode = 13): string => `/${inode}/100644/0/0/${name}/4/`

describe('what debugfs lists of a folder', () => {
  test('is its entries, without itself and its parent', () => {
    const rows = ['/12/040755/0/0/.//', '/2/040755/0/0/..//', file('a'), '/14/040700/0/0/sub//']
    expect(listed(section(...rows), 'dir')).toEqual([
      { path: 'dir/a', inode: 13, mode: 0o100644, size: 4 },
      { path: 'dir/sub', inode: 14, mode: 0o040700, size: 0 }
    ])
  })

  test('may have line breaks and every other byte in a name', () => {
    expect(listed(section(file('two\nlines'), file('\xff "quoted"')), '').map(({ path }) => path)).toEqual([
      'two\nlines',
      '\xff "quoted"'
    ])
  })

  test.each([
    ['a name twice, wherever in the folder', [file('a'), file('b'), file('a', 15)]],
    ['a slash in a name', [file('../../etc/passwd')]],
    ['an absolute name', [file('/etc/passwd')]],
    ['an empty name', [file('')]],
    ['a NUL in a name', [file('a\0b')]]
  ])('%s is refused', (_what, rows) => {
    expect(() => listed(section(...rows), '')).toThrow(/a name that no kernel makes/)
  })
})

test('a volume comes back with modes, links of both lengths, hard links and closed folders', async () => {
  const [workspace, folder] = [scratch.fresh(), scratch.fresh()]
  mkdirSync(join(workspace, 'closed'))
  writeFileSync(join(workspace, 'closed/file'), 'x', { mode: 0o400 })
  linkSync(join(workspace, 'closed/file'), join(workspace, 'same'))
  symlinkSync('short\ntarget', join(workspace, 'short'))
  symlinkSync('l'.repeat(200), join(workspace, 'long'))
  const volume = join(folder, 'volume.img')
  await makeVolume({ workspace, excluded: excluding([]), owner: { uid: 0, gid: 0 }, file: volume, runFolder: folder })

  const to = join(folder, 'out')
  const modes = await readVolume(volume, to)
  expect([...modes]).toEqual([['closed', 0o755]])
  expect(readFileSync(join(to, 'closed/file'), 'utf8')).toBe('x')
  expect(statSync(join(to, 'same')).ino).toBe(statSync(join(to, 'closed/file')).ino)
  expect(statSync(join(to, 'same')).mode & 0o777).toBe(0o400)
  expect(readlinkSync(join(to, 'short'))).toBe('short\ntarget')
  expect(readlinkSync(join(to, 'long'))).toBe('l'.repeat(200))
})
