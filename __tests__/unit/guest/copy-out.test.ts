import { spawnSync } from 'node:child_process'
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { copyOutText, globWord, patternsWithoutMatch } from '../../../src/guest/copy-out'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A folder with these files, each with its own name in it. */
function tree(...names: readonly string[]): string {
  const root = scratch.fresh()
  for (const name of names) {
    mkdirSync(join(root, name, '..'), { recursive: true })
    writeFileSync(join(root, name), name)
  }
  return root
}

/** Copies out of a folder, as a guest would; what came of it, and what was said. */
function copyOut(root: string, ...patterns: readonly string[]): { files: readonly string[]; said: readonly string[] } {
  const folder = join(scratch.fresh(), 'out')
  const { status, stdout, stderr } = spawnSync('sh', [], {
    input: copyOutText({ patterns: patterns.map(pattern => root + pattern), folder }),
    encoding: 'utf8'
  })
  expect(status).toBe(0)
  const below = existsSync(folder + root) ? readdirSync(folder + root, { recursive: true, encoding: 'utf8' }) : []
  const files = below.filter(name => !lstatSync(join(folder + root, name)).isDirectory()).sort()
  for (const name of files.filter(file => !file.includes('link')))
    expect(readFileSync(join(folder + root, name), 'utf8')).toBe(name)
  const missing = patternsWithoutMatch(stdout).map(pattern => `missing ${pattern.slice(root.length)}`)
  return { files, said: [...missing, ...stderr.split('\n').filter(Boolean)] }
}

test.each<[string, readonly string[], readonly string[], readonly string[]]>([
  ['a file', ['/a.log'], ['a.log'], []],
  ['a pattern', ['/*.log'], ['a.log', 'b c.log'], []],
  ['a pattern of folders', ['/*/x?'], ['sub/x1', 'sub/x2'], []],
  ['a set', ['/sub/x[2-9]', '/sub/[!x]*'], ['sub/deep/y', 'sub/x2'], []],
  ['a folder, with or without a slash', ['/sub/', '/sub/deep'], ['sub/deep/y', 'sub/x1', 'sub/x2'], []],
  ['nothing', ['/none', '/*.none', '/a.log'], ['a.log'], ['missing /none', 'missing /*.none']]
])('%s', (_, patterns, files, said) => {
  const root = tree('a.log', 'b c.log', 'sub/x1', 'sub/x2', 'sub/deep/y', 'other')
  expect(copyOut(root, ...patterns)).toEqual({ files, said })
})

test.each(['$(touch hit)', '`touch hit`', "it's", '"$HOME"', 'a;b', '~', '{a,b}', 'a b', '-rf', '\\', 'a&b|c', 'x\\*'])(
  'only wildcards mean something: %s',
  name => {
    expect(copyOut(tree(name, 'other'), `/${name}`)).toEqual({ files: [name], said: [] })
    expect(copyOut(tree(`${name}1`), `/${name}?`)).toEqual({ files: [`${name}1`], said: [] })
  }
)

test('a set may hold anything', () => {
  expect(globWord('/a[$(id) ]b')).toBe(`'/a'['$(id) ']'b'`)
  expect(copyOut(tree('a$b', 'a b', 'acb'), '/a[$ ]b').files).toEqual(['a b', 'a$b'])
})

test('links that are named are followed, those in folders stay links', () => {
  const root = tree('target', 'sub/file')
  symlinkSync('target', join(root, 'link'))
  symlinkSync('nowhere', join(root, 'sub/link'))
  symlinkSync('nowhere', join(root, 'broken'))
  const { files, said } = copyOut(root, '/link', '/sub', '/broken')
  expect(files).toEqual(['link', 'sub/file', 'sub/link'])
  expect(said).toEqual([expect.stringContaining('broken')])
})

test('a folder that holds the copies is not copied into itself', () => {
  const root = tree('file')
  const folder = join(root, 'workspace/.copies')
  mkdirSync(join(folder, '..'))
  for (const pattern of ['/', root, `${root}/*`]) {
    const { stderr } = spawnSync('sh', [], { input: copyOutText({ patterns: [pattern], folder }), encoding: 'utf8' })
    expect(stderr).toMatch(/holds the workspace, and is not copied/)
  }
  expect(readFileSync(join(folder + root, 'file'), 'utf8')).toBe('file')
})
