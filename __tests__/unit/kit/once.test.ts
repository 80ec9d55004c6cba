import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { toCompressed } from '../../kit/archives'
import { exclusively, madeOnce } from '../../kit/once'

let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-once-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('lets one in at a time', async () => {
  const log: string[] = []
  const enter = (name: string): Promise<void> =>
    exclusively(join(folder, 'lock'), async () => {
      log.push(`${name} in`)
      await sleep(50)
      log.push(`${name} out`)
    })
  await Promise.all([enter('a'), enter('b')])
  const [first = '', ...rest] = log
  const [winner, loser] = first.startsWith('a') ? ['a', 'b'] : ['b', 'a']
  expect([first, ...rest]).toEqual([`${winner} in`, `${winner} out`, `${loser} in`, `${loser} out`])
})

it('makes a thing once, whole', async () => {
  const path = join(folder, 'thing')
  let builds = 0
  const build = async (unfinished: string): Promise<void> => {
    builds++
    await writeFile(unfinished, 'half')
    await sleep(20)
    expect(await readdir(folder)).not.toContain('thing')
    await writeFile(unfinished, 'whole')
  }
  expect(await Promise.all([madeOnce(path, build), madeOnce(path, build)])).toEqual([path, path])
  expect([builds, await readFile(path, 'utf8')]).toEqual([1, 'whole'])
})

it('leaves nothing behind when making fails', async () => {
  const attempt = madeOnce(join(folder, 'thing'), async unfinished => {
    await writeFile(unfinished, 'half')
    throw new Error('no space')
  })
  await expect(attempt).rejects.toThrow('no space')
  expect(await readdir(folder)).toEqual(['thing.lock'])
})

it('makes archives beside an image, and again when the image is newer', async () => {
  const image = join(folder, 'a.img')
  await writeFile(image, 'old content')
  const archive = await toCompressed(image, 'gz')
  const before = await readFile(archive)
  await sleep(20)
  await writeFile(image, 'new content, longer')
  expect(await toCompressed(image, 'gz')).toBe(`${image}.gz`)
  expect(await readFile(archive)).not.toEqual(before)
  for (const [kind, magic] of [
    ['xz', 'fd377a58'],
    ['zst', '28b52ffd'],
    ['zip', '504b0304'],
    ['qcow2', '514649fb']
  ] as const) {
    expect((await readFile(await toCompressed(image, kind))).subarray(0, 4).toString('hex')).toBe(magic)
  }
})
