import { existsSync, writeFileSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { Ext4 } from '../../../src/images/ext4'
import { excluding, makeVolume, readVolume } from '../../../src/workspace'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A volume as a guest could leave it that writes to the device itself: one name replaced by another as long. */
async function crafted(name: string, replacement: string): Promise<{ file: string; folder: string }> {
  const folder = scratch.fresh()
  const workspace = scratch.fresh()
  writeFileSync(join(workspace, name), 'evil')
  writeFileSync(join(workspace, 'fine'), 'fine')
  const file = join(folder, 'volume.img')
  await makeVolume({ workspace, excluded: excluding([]), owner: { uid: 0, gid: 0 }, file, runFolder: folder })
  const [root] = await new Ext4(file, 0).locate('/', 0, 4096)
  const handle = await open(file, 'r+')
  const { buffer } = await handle.read(Buffer.alloc(4096), 0, 4096, root?.offset ?? 0)
  const at = buffer.indexOf(name)
  expect(at).toBeGreaterThan(0)
  await handle.write(Buffer.from(replacement), 0, replacement.length, (root?.offset ?? 0) + at)
  await handle.close()
  return { file, folder }
}

/** The paths on a volume; what is read from it would lie in `out`. */
function paths(file: string, folder: string): Promise<readonly string[]> {
  const request = { volume: file, sent: new Map(), excluded: excluding([]), scratch: join(folder, 'out') }
  return readVolume(request, ({ left }) => Promise.resolve([...left.keys()]))
}

test.each([
  ['a name that leads out of the folder', '..Yescaped', '../escaped', /illegal characters in its name/],
  ['a name that stands twice in a folder', 'finf', 'fine', /Duplicate entry 'fine' found/]
])('%s is refused, and nothing is copied', async (_what, name, replacement, message) => {
  const { file, folder } = await crafted(name, replacement)
  await expect(paths(file, folder)).rejects.toThrow(message)
  expect(existsSync(join(folder, 'out'))).toBe(false)
})

test('the same volume untouched is read', async () => {
  const { file, folder } = await crafted('finf', 'finf')
  expect(await paths(file, folder)).toEqual(['fine', 'finf'])
})
