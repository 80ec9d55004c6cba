import { execFileSync } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { excludingIgnored } from '../../../src/workspace'
import { atTop } from '../../../src/workspace/gitignore'
import { walk } from '../../../src/workspace/tree'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A folder with these files. */
function tree(files: Readonly<Record<string, string>>): string {
  const root = scratch.fresh()
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text)
  }
  return root
}

const git = (root: string, ...args: readonly string[]): string =>
  execFileSync('git', ['-c', 'user.name=x', '-c', 'user.email=x@example.com', ...args], {
    cwd: root,
    encoding: 'utf8',
    env: { ...process.env, GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_SYSTEM: '/dev/null' }
  })

/** Files that are sent. */
async function sent(root: string, patterns: readonly string[] = []): Promise<readonly string[]> {
  const excluded = await excludingIgnored(root, patterns)
  return [...walk(root, excluded)]
    .filter(({ path, stat }) => !stat.isDirectory() && !path.startsWith('.git/'))
    .map(({ path }) => Buffer.from(path, 'latin1').toString())
    .sort()
}

const project = {
  '.gitignore': '# objects\n*.o\n/dist\nbuild/\n*.log\n!keep.log\nsub/only-here\n\\#odd\ntrailing \\ \n',
  'a.c': '',
  'a.o': '',
  'dist/x': '',
  'sub/dist/x': '',
  'build/x': '',
  'build/.gitignore': '!x',
  'sub/build/x': '',
  'sub/build2': '',
  'x.log': '',
  'keep.log': '',
  'sub/only-here': '',
  'sub/deep/only-here': '',
  '#odd': '',
  'sub/.gitignore': '!important.o\n/local\ndeep/*.tmp\nany\r\n',
  'sub/important.o': '',
  'sub/deep/important.o': '',
  'sub/other.o': '',
  'sub/local': '',
  'sub/deep/local': '',
  'sub/deep/a.tmp': '',
  'sub/deep/er/a.tmp': '',
  'sub/deep/any/x': '',
  'any/x': '',
  'odd [name]!/.gitignore': 'x*\n',
  'odd [name]!/xy': '',
  'odd [name]!/ay': '',
  'odd n/xy': '',
  'grün/.gitignore': 'ä\n',
  'grün/ä': '',
  'grün/o': ''
}

test('what is sent is what git would show, of nested files too', async () => {
  const root = tree(project)
  git(root, 'init', '-q')
  const shown = git(root, 'ls-files', '-z', '--others', '--exclude-standard').split('\0').filter(Boolean).sort()
  expect(shown.length).toBeGreaterThan(15)
  expect(await sent(root)).toEqual(shown)
})

test('it needs neither git nor a repository', async () => {
  const files = await sent(tree(project))
  expect(files).toContain('sub/important.o')
  expect(files).not.toContain('sub/other.o')
  expect(files).not.toContain('build/x')
})

test('what git tracks is sent, although it is ignored', async () => {
  const root = tree({ '.gitignore': 'build\n*.bin\n', 'build/kept': '', 'build/other': '', 'a.bin': '', 'b.bin': '' })
  git(root, 'init', '-q')
  git(root, 'add', '-f', '.gitignore', 'build/kept', 'a.bin')
  expect(await sent(root)).toEqual(['.gitignore', 'a.bin', 'build/kept'])
  expect(await sent(root, ['a.bin'])).toEqual(['.gitignore', 'build/kept'])
})

test('.git/info/exclude counts as well, and says less than a .gitignore file', async () => {
  const root = tree({ '.gitignore': '!b.x\n', 'a.x': '', 'b.x': '' })
  git(root, 'init', '-q')
  writeFileSync(join(root, '.git/info/exclude'), '*.x\n')
  expect(await sent(root)).toEqual(['.gitignore', 'b.x'])
})

test('sync-exclude says more than all of them: it excludes more, and takes back', async () => {
  const root = tree({ '.gitignore': '*.o\n', 'a.o': '', 'b.o': '', 'a.c': '', 'b.c': '' })
  expect(await sent(root, ['!a.o', 'a.c'])).toEqual(['.gitignore', 'a.o', 'b.c'])
})

test('what the guest makes under an ignored name stays there, by the rules that were sent', async () => {
  const root = tree({ '.gitignore': 'out/\n' })
  const excluded = await excludingIgnored(root, [])
  writeFileSync(join(root, '.gitignore'), '')
  expect([excluded('out', true), excluded('out/x', false), excluded('sub/out', true), excluded('out', false)]).toEqual([
    ...[true, true, true, false]
  ])
})

test('links are not followed, as by git', async () => {
  const root = tree({ 'rules/ignore': '*', a: '' })
  symlinkSync('rules/ignore', join(root, '.gitignore'))
  symlinkSync('.', join(root, 'loop'))
  expect(await sent(root)).toEqual(['.gitignore', 'a', 'loop', 'rules/ignore'])
})

test.each([
  ['', '*.o', '*.o'],
  ['a/b', '*.o', '/a/b/**/*.o'],
  ['a', '!x', '!/a/**/x'],
  ['a', '/x', '/a/x'],
  ['a', 'x/y', '/a/x/y'],
  ['a', 'x/', '/a/**/x/'],
  ['a', '\\!x', '/a/**/\\!x'],
  ['[a] b', 'x', '/\\[a\\]\\ b/**/x'],
  ['a', '# x', undefined],
  ['a', '  ', undefined]
])('in %j the pattern %j means %j at the top', (folder, line, expected) => {
  expect(atTop(folder, line)).toBe(expected)
})
