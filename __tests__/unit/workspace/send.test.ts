import { chmodSync, mkdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onHost, outgoing, broughtManifest, readManifest, writeManifest, type Manifest } from '../../../src/workspace'
import type { LeftEntry } from '../../../src/workspace/read-back'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const past = 1_600_000_000

/** A workspace with some files of long ago. */
function project(): string {
  const root = join(scratch.fresh(), 'project')
  mkdirSync(join(root, 'src'), { recursive: true })
  for (const name of ['a', 'b', 'src/c']) {
    writeFileSync(join(root, name), name)
    utimesSync(join(root, name), past, past)
  }
  symlinkSync('a', join(root, 'link'))
  return root
}

const all = (): boolean => false

/** A guest that has what was sent; `touched` are the paths that it changed since. */
const leftOf = (sent: Manifest, touched: readonly string[] = []): ReadonlyMap<string, LeftEntry> =>
  new Map(
    [...sent].map(([path, { kind, size, mtimeNs, mode }], inode) => [
      path,
      { kind, mode, mtimeNs, inode, size: Number(size), untouched: !touched.includes(path) }
    ])
  )

test('nothing goes where nothing changed', () => {
  const root = project()
  const sent = onHost(root, all)
  expect(outgoing(onHost(root, all), sent, leftOf(sent))).toEqual({ send: [], remove: [], kept: [] })
})

test('what is new, changed in content, permissions or kind goes; what is gone is removed, the deepest first', () => {
  const root = project()
  const sent = onHost(root, all)
  writeFileSync(join(root, 'a'), 'A')
  chmodSync(join(root, 'b'), 0o755)
  rmSync(join(root, 'src'), { recursive: true })
  rmSync(join(root, 'link'))
  mkdirSync(join(root, 'link'))
  writeFileSync(join(root, 'link/new'), 'new')
  expect(outgoing(onHost(root, all), sent, leftOf(sent))).toEqual({
    send: ['a', 'b', 'link', 'link/new'],
    remove: [
      { path: 'src/c', kind: 'file' },
      { path: 'src', kind: 'folder' },
      { path: 'link', kind: 'link' }
    ],
    kept: []
  })
})

test('what is gone on the host, but was changed in the guest, is kept there', () => {
  const root = project()
  const sent = onHost(root, all)
  rmSync(join(root, 'a'))
  rmSync(join(root, 'b'))
  expect(outgoing(onHost(root, all), sent, leftOf(sent, ['b']))).toEqual({
    ...{ send: [], kept: ['b'] },
    remove: [{ path: 'a', kind: 'file' }]
  })
})

describe('after the guest’s changes were brought back', () => {
  const state = (inode: number): Buffer => Buffer.from([inode])

  test('both sides have what the host has now', () => {
    const root = project()
    const sent = onHost(root, all)
    writeFileSync(join(root, 'a'), 'from the guest')
    const now = broughtManifest(leftOf(sent, ['a']), sent, root, state)
    expect(outgoing(onHost(root, all), now, leftOf(sent))).toEqual({ send: [], remove: [], kept: [] })
    expect(now.get('a')).toMatchObject({ size: 14n, inode: 0, state: state(0) })
  })

  test('what the host changed meanwhile is still to be sent', () => {
    const root = project()
    const sent = onHost(root, all)
    writeFileSync(join(root, 'b'), 'changed on the host')
    const now = broughtManifest(leftOf(sent), sent, root, state)
    expect(outgoing(onHost(root, all), now, leftOf(sent)).send).toEqual(['b'])
  })
})

test('what was handed over survives being written down, whatever its names are', async () => {
  const file = join(scratch.fresh(), 'manifest.json')
  const manifest: Manifest = new Map([
    [
      '\xff\xfe "name"\n',
      { kind: 'file', size: 2n ** 60n, mtimeNs: 1n, mode: 0o644, inode: 12, state: Buffer.from([0, 255]) }
    ],
    ['folder', { kind: 'folder', size: 0n, mtimeNs: 2n, mode: 0o755 }]
  ])
  await writeManifest(file, manifest)
  expect(await readManifest(file)).toEqual(manifest)
})
