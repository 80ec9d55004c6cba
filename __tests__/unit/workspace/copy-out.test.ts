import { broughtBack, collectedFolder } from '../../../src/workspace'
import type { LeftEntry } from '../../../src/workspace/read-back'

const entry = (kind: LeftEntry['kind'], inode: number): LeftEntry => ({
  ...{ kind, inode, mode: 0o644, size: 1, mtimeNs: 0n, untouched: false }
})
const collected = collectedFolder('run-1')
const left = new Map<string, LeftEntry>([
  ['a', entry('file', 11)],
  ['copy-out', entry('file', 12)],
  [collected, entry('folder', 13)],
  [`${collected}/var`, entry('folder', 14)],
  [`${collected}/var/x.log`, entry('file', 15)],
  [`${collected}-not`, entry('file', 16)]
])
const inodes = (map: ReadonlyMap<string, LeftEntry>): readonly (readonly [string, number])[] =>
  [...map].map(([path, { inode }]) => [path, inode] as const)

test('what was copied out has its place in the workspace, instead of what the guest has there', () => {
  expect(inodes(broughtBack(left, collected, true))).toEqual([
    ['a', 11],
    [`${collected}-not`, 16],
    ['copy-out', 13],
    ['copy-out/var', 14],
    ['copy-out/var/x.log', 15]
  ])
})

test('with the workspace staying in the guest, nothing else comes', () => {
  expect(inodes(broughtBack(left, collected, false))).toEqual([
    ['copy-out', 13],
    ['copy-out/var', 14],
    ['copy-out/var/x.log', 15]
  ])
})

test('a folder of the guest gives way to a file that was copied out, with all that is in it', () => {
  const both = new Map([
    ...[...left].filter(([path]) => path !== 'copy-out'),
    ...(['copy-out', 'copy-out/var', 'copy-out/var/x.log'] as const).map(path => [path, entry('folder', 20)] as const),
    ['copy-out/var/x.log/deep', entry('file', 21)] as const
  ])
  expect(inodes(broughtBack(both, collected, true)).filter(([path]) => path.startsWith('copy-out'))).toEqual([
    ['copy-out', 13],
    ['copy-out/var', 14],
    ['copy-out/var/x.log', 15]
  ])
})
