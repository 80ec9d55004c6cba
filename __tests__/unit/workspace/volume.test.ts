import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { Ext4 } from '../../../src/images/ext4'
import { excluding, makeVolume, mirror, readVolume, workspaceLabel, type Manifest } from '../../../src/workspace'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

interface Handed {
  readonly sent: Manifest
  readonly file: string
  readonly runFolder: string
}

async function handOver(workspace: string | undefined, patterns: readonly string[] = []): Promise<Handed> {
  const runFolder = scratch.fresh()
  const file = join(runFolder, 'workspace.img')
  const owner = { uid: 1000, gid: 1000 }
  const sent = await makeVolume({ workspace, excluded: excluding(patterns), owner, file, runFolder })
  return { sent, file, runFolder }
}

/** The volume's files, in an empty folder. */
async function readBack(handed: Handed): Promise<string> {
  const to = scratch.fresh()
  await bringBack({ ...handed, sent: new Map() }, to)
  return to
}

/** What the volume has by now, brought to a workspace. */
function bringBack(
  { sent, file, runFolder }: Handed,
  workspace: string,
  { patterns = [], log = new RecordedLog() }: { readonly patterns?: readonly string[]; readonly log?: RecordedLog } = {}
): ReturnType<typeof mirror> {
  const request = { volume: file, sent, excluded: excluding(patterns), scratch: join(runFolder, 'contents') }
  return readVolume(request, ({ left, fetch, copy }) => mirror({ left, workspace, sent, fetch, copy, log }))
}

function project(): string {
  const root = scratch.fresh()
  mkdirSync(join(root, 'src/two words'), { recursive: true })
  writeFileSync(join(root, "src/two words/it's.c"), 'int main;')
  writeFileSync(join(root, 'tool'), '#!/bin/sh\n')
  chmodSync(join(root, 'tool'), 0o755)
  writeFileSync(join(root, 'empty'), '')
  symlinkSync('src', join(root, 'link'))
  utimesSync(join(root, 'tool'), 1_700_000_000.5, 1_700_000_000.5)
  mkdirSync(join(root, 'build'))
  writeFileSync(join(root, 'build/big.o'), 'x'.repeat(100_000))
  return root
}

/** Paths of everything in a folder; what links lead to is not in it. */
function names(folder: string, below = ''): readonly string[] {
  const entries = readdirSync(join(folder, below), { withFileTypes: true })
  return entries
    .flatMap(entry => {
      const path = join(below, entry.name)
      return entry.isDirectory() ? [path, ...names(folder, path)] : [path]
    })
    .sort()
}

test('what went over comes back: contents, modes, links, times to the nanosecond', async () => {
  const workspace = project()
  const back = await readBack(await handOver(workspace))
  expect(names(back)).toEqual(names(workspace))
  expect(readFileSync(join(back, "src/two words/it's.c"), 'utf8')).toBe('int main;')
  expect([statSync(join(back, 'tool')).mode & 0o7777, statSync(join(back, 'tool')).mtimeMs]).toEqual([
    0o755, 1_700_000_000_500
  ])
  expect([readlinkSync(join(back, 'link')), statSync(join(back, 'empty')).size]).toEqual(['src', 0])
})

test('the list of what was sent has each path, its kind, size and time', async () => {
  const { sent } = await handOver(project())
  expect([...sent.keys()]).toEqual([
    ...['build', 'build/big.o', 'empty', 'link', 'src', 'src/two words', "src/two words/it's.c", 'tool']
  ])
  expect([sent.get('src')?.kind, sent.get('link')?.kind]).toEqual(['folder', 'link'])
  expect(sent.get('tool')).toMatchObject({ kind: 'file', size: 10n, mtimeNs: 1_700_000_000_500_000_000n })
})

test('the guest finds it by its label, owns all of it, and has room to work', async () => {
  const { file } = await handOver(project())
  const ask = (request: string): string =>
    execFileSync('debugfs', ['-R', request, file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  const stats = ask('stats -h')
  expect(stats).toMatch(new RegExp(`^Filesystem volume name:\\s+${workspaceLabel}$`, 'm'))
  const [blocks, inodes] = [/^Free blocks:\s+(\d+)/m, /^Free inodes:\s+(\d+)/m].map(pattern =>
    Number(pattern.exec(stats)?.[1])
  )
  expect(blocks).toBeGreaterThan(50_000)
  expect(inodes).toBeGreaterThan(250_000)
  for (const path of ['/', '/build/big.o', '/link', "/src/two words/it's.c", '/tool', '/empty'])
    expect(
      `${path}: ${
        /User:\s+(\d+)\s+Group:\s+(\d+)/
          .exec(ask(`stat "${path}"`))
          ?.slice(1)
          .join(':') ?? ''
      }`
    ).toBe(`${path}: 1000:1000`)
})

test('it takes little room on the host, however much it may grow', async () => {
  const { file } = await handOver(project())
  expect(statSync(file).blocks * 512).toBeLessThan(128 * 1024 * 1024)
  expect(statSync(file).size).toBeGreaterThan(200 * 1024 * 1024)
})

test('what is excluded does not go over, and nothing is left of the sorting', async () => {
  const workspace = project()
  const handed = await handOver(workspace, ['build', '*.c'])
  expect([...handed.sent.keys()]).toEqual(['empty', 'link', 'src', 'src/two words', 'tool'])
  expect(readdirSync(handed.runFolder)).toEqual(['workspace.img'])
  const back = await readBack(handed)
  expect(names(back)).toEqual(['empty', 'link', 'src', 'src/two words', 'tool'])
  expect(statSync(join(back, 'tool')).mode & 0o7777).toBe(0o755)
  expect(existsSync(join(workspace, 'build/big.o'))).toBe(true)
})

test('an empty volume is empty', async () => {
  const handed = await handOver(undefined)
  expect(handed.sent.size).toBe(0)
  expect(readdirSync(await readBack(handed))).toEqual([])
})

test.each([
  ['all of it', []],
  ['but for exclusions', ['*.o']]
])('a run that does nothing changes nothing: %s is sent', async (_, patterns) => {
  const workspace = project()
  execFileSync('mkfifo', [join(workspace, 'fifo')])
  const server = createServer()
  await new Promise<void>(resolve => server.listen(join(workspace, 'socket'), resolve))
  try {
    const before = names(workspace)
    const handed = await handOver(workspace, patterns)
    const log = new RecordedLog()
    expect(await bringBack(handed, workspace, { patterns, log })).toEqual({ written: 0, deleted: 0 })
    expect(names(workspace)).toEqual(before)
    expect(log.entries).toEqual([])
  } finally {
    await new Promise(resolve => server.close(resolve))
  }
})

test('what the guest did to the volume arrives in the workspace', async () => {
  const workspace = project()
  const handed = await handOver(workspace)
  await new Ext4(handed.file, 0).apply(
    [
      { kind: 'file', path: '/result', content: 'done\n', mode: 0o640 },
      { kind: 'file', path: '/empty', content: 'not any more', mode: 0o644 },
      { kind: 'remove', path: '/build/big.o' },
      { kind: 'remove-folder', path: '/build' },
      { kind: 'symlink', path: '/link', target: 'tool' }
    ],
    handed.runFolder
  )
  expect(await bringBack(handed, workspace)).toEqual({ written: 3, deleted: 2 })
  expect([readFileSync(join(workspace, 'result'), 'utf8'), statSync(join(workspace, 'result')).mode & 0o777]).toEqual([
    'done\n',
    0o640
  ])
  expect(readFileSync(join(workspace, 'empty'), 'utf8')).toBe('not any more')
  expect([existsSync(join(workspace, 'build')), readlinkSync(join(workspace, 'link'))]).toEqual([false, 'tool'])
  // What comes back belongs to who owns the workspace, not to the guest's user.
  expect(lstatSync(join(workspace, 'result')).uid).toBe(statSync(workspace).uid)
})
