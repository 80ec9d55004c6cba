import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { homeFolders } from '../../../src/host/paths'
import { cachedTools, makeStaging, placeTool, toolCacheFolder, touchTool } from '../../../src/host/tool-cache'
import { isRoot } from '../../../src/host/tools'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const name = 'some-tool'
const key = { name, version: '10.0.13-debian-0-deb13u1', arch: 'x64' }
let root: string
beforeEach(() => {
  root = scratch.fresh()
})

/** A finished tool in a staging folder. */
async function staged(run: string, content = run): Promise<string> {
  const staging = await makeStaging(root, { name, run }, () => undefined)
  writeFileSync(join(staging, 'program'), content)
  return staging
}
const contentOf = (folder: string): string => readFileSync(join(folder, 'program'), 'utf8')
const place = async (run: string, isWhole: (folder: string) => Promise<boolean>): Promise<string> =>
  placeTool(await staged(run), root, key, isWhole)
const yes = (): Promise<boolean> => Promise.resolve(true)
const no = (): Promise<boolean> => Promise.resolve(false)

describe('tools are kept', () => {
  const home = homeFolders({ PI_QEMU_HOME: '/big/disk' })

  test("in the runner's tool cache, made if it is not there", async () => {
    const runners = join(root, 'hosted')
    expect(await toolCacheFolder(home, { RUNNER_TOOL_CACHE: runners })).toBe(runners)
    expect(existsSync(runners)).toBe(true)
  })

  test.each([{}, { RUNNER_TOOL_CACHE: '' }])('in our own folder on a terminal (%j)', async env => {
    expect(await toolCacheFolder(home, env)).toBe('/big/disk/tools')
  })

  test("in our own folder where the runner's cannot be made", async () => {
    writeFileSync(join(root, 'file'), '')
    expect(await toolCacheFolder(home, { RUNNER_TOOL_CACHE: join(root, 'file/tools') })).toBe('/big/disk/tools')
  })

  ;(isRoot() ? test.skip : test)("in our own folder where the runner's is read-only", async () => {
    chmodSync(root, 0o500)
    expect(await toolCacheFolder(home, { RUNNER_TOOL_CACHE: root })).toBe('/big/disk/tools')
  })
})

test('what is placed is found, whole, under its version; nothing else is left', async () => {
  const folder = await place('run-1', no)
  expect(cachedTools(root, key)).toEqual([{ version: key.version, folder, current: expect.any(Number) as number }])
  expect(contentOf(folder)).toBe('run-1')
  expect(readdirSync(join(root, name))).toEqual([key.version])
  expect(cachedTools(root, { name, arch: 'arm64' })).toEqual([])
  expect(cachedTools(root, { name: 'other', arch: 'x64' })).toEqual([])
})

test('a build that was interrupted is not found, wherever it stood', async () => {
  await staged('run-1')
  mkdirSync(join(root, name, '9.9.9/x64'), { recursive: true })
  writeFileSync(join(root, name, '9.9.9/x64/program'), 'half')
  expect(cachedTools(root, key)).toEqual([])
})

test('what may be left behind is announced before it is there', async () => {
  const announced: string[] = []
  const staging = await makeStaging(root, { name, run: 'run-1' }, path => {
    expect(existsSync(path)).toBe(false)
    announced.push(path)
  })
  expect(announced).toEqual([staging, `${staging}-damaged`])
})

test('the second of two runs takes what the first one placed, untouched', async () => {
  const first = await place('run-1', no)
  const second = await place('run-2', yes)
  expect([second, contentOf(first)]).toEqual([first, 'run-1'])
  expect(readdirSync(join(root, name))).toEqual([key.version])
})

test('at the same time, too', async () => {
  const folders = await Promise.all(['run-1', 'run-2', 'run-3'].map(run => place(run, yes)))
  expect(new Set(folders).size).toBe(1)
  expect(cachedTools(root, key)).toHaveLength(1)
  expect(readdirSync(join(root, name))).toEqual([key.version])
})

test('what is there but damaged gives way', async () => {
  await place('run-1', no)
  const folder = await place('run-2', no)
  expect(contentOf(folder)).toBe('run-2')
  expect(readdirSync(join(root, name))).toEqual([key.version])
  expect(cachedTools(root, key)).toHaveLength(1)
})

test('the one looked after last comes first', async () => {
  const old = await place('run-1', no)
  const other = await placeTool(await staged('run-2'), root, { ...key, version: '9.0.0' }, no)
  const past = new Date(Date.now() - 1000_000)
  for (const folder of [old, other]) utimesSync(`${folder}.complete`, past, past)
  await touchTool({ folder: other })
  expect(cachedTools(root, key).map(({ version }) => version)).toEqual(['9.0.0', key.version])
  await touchTool({ folder: old })
  utimesSync(`${other}.complete`, past, past)
  expect(cachedTools(root, key).map(({ version }) => version)).toEqual([key.version, '9.0.0'])
})

test('stdout and the environment are as they were, and nothing was written', async () => {
  await place('run-1', no)
  const before = process.env['RUNNER_TOOL_CACHE']
  const written: unknown[] = []
  const spy = jest.spyOn(process.stdout, 'write').mockImplementation(chunk => written.push(chunk) > 0)
  try {
    expect(cachedTools(root, key)).toHaveLength(1)
    expect(written).toEqual([])
    process.stdout.write('still ours')
    expect(written).toEqual(['still ours'])
  } finally {
    spy.mockRestore()
  }
  expect(process.env['RUNNER_TOOL_CACHE']).toBe(before)
})

test('a cache that cannot be written is named, with a remedy', async () => {
  writeFileSync(join(root, 'file'), '')
  await expect(makeStaging(join(root, 'file'), { name, run: 'run-1' }, () => undefined)).rejects.toMatchObject({
    details: {
      symptom: expect.stringContaining(`the tool cache ${join(root, 'file')} cannot be written`) as string,
      remedy: expect.stringContaining('PI_QEMU_HOME') as string
    }
  })
})
