import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { bytes, excluding, walk } from '../../../src/workspace/tree'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A tree of these files; those that end in a slash are folders. */
function tree(...paths: readonly string[]): string {
  const root = scratch.fresh()
  for (const path of paths) {
    mkdirSync(join(root, path.endsWith('/') ? path : join(path, '..')), { recursive: true })
    if (!path.endsWith('/')) writeFileSync(join(root, path), path)
  }
  return root
}

/** What is sent of a tree when these patterns stay out. */
function sent(root: string, ...patterns: readonly string[]): readonly string[] {
  const paths: string[] = []
  for (const { path } of walk(root, excluding(patterns))) paths.push(path)
  return paths
}

test('everything is found, folders before what they hold, in a stable order', () => {
  const root = tree('b/z', 'b/a/deep', 'a', 'c/', '.git/HEAD')
  symlinkSync('/nowhere', join(root, 'link'))
  symlinkSync('b', join(root, 'linked folder'))
  expect(sent(root)).toEqual([
    ...['.git', '.git/HEAD', 'a', 'b', 'b/a', 'b/a/deep', 'b/z', 'c', 'link', 'linked folder']
  ])
})

test('an empty folder holds nothing', () => {
  expect(sent(scratch.fresh())).toEqual([])
})

describe('exclusions', () => {
  const root = tree(
    'node_modules/x/y',
    'src/main.o',
    'src/main.c',
    'src/node_modules/z',
    'build/out/a',
    'build/keep',
    'x.o'
  )

  test.each<[string, readonly string[], readonly string[]]>([
    [
      'a name, anywhere',
      ['node_modules'],
      ['build', 'build/keep', 'build/out', 'build/out/a', 'src', 'src/main.c', 'src/main.o', 'x.o']
    ],
    [
      'a name, at the top only',
      ['/node_modules', '/build', 'src/*.o', 'src/*.c'],
      ['src', 'src/node_modules', 'src/node_modules/z', 'x.o']
    ],
    ['what is in a folder', ['build/**', 'node_modules', 'src'], ['build', 'x.o']],
    ['endings', ['*.o', 'node_modules', 'build'], ['src', 'src/main.c']],
    ['a folder, and no file of the name', ['build/', 'x.o/', 'node_modules', 'src'], ['x.o']],
    ['all but one', ['build/*', '!build/keep', 'node_modules', 'src', 'x.o'], ['build', 'build/keep']],
    ['comments are none', ['# x.o', 'node_modules', 'src', 'build'], ['x.o']]
  ])('%s', (_, patterns, left) => {
    expect(sent(root, ...patterns)).toEqual(left)
  })

  test('tell upper case from lower case, as the file system does', () => {
    expect(sent(tree('Build/a', 'build/b', 'A.O', 'a.o'), 'build', '*.o')).toEqual(['A.O', 'Build', 'Build/a'])
  })

  test('are not fooled by odd names', () => {
    const names = [
      '...',
      '..x',
      '~',
      ' lead',
      'line\nbreak.o',
      '!bang',
      '#hash',
      'back\\slash',
      'grün.o',
      '-rf',
      '[a]',
      'x y.o'
    ]
    expect(sent(tree(...names), '*.o')).toEqual(names.filter(name => !name.endsWith('.o')).sort())
  })

  test('match what can be matched of names that are no text', () => {
    const folder = scratch.fresh()
    for (const name of ['bad-\xff.o', 'bad-\xff.c', '\xfe']) writeFileSync(bytes(folder, name), '')
    expect(sent(folder, '*.o')).toEqual(['bad-\xff.c', '\xfe'])
    expect(sent(folder)).toEqual(['bad-\xff.c', 'bad-\xff.o', '\xfe'])
  })

  test('match letters beyond ASCII', () => {
    expect(sent(tree('grün/a', 'grau/a'), 'grün')).toEqual(['grau', 'grau/a'])
  })
})
