import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findPi, laterDirectory, remember } from '../../../src/later'
import { namesIn, remembered, writeState, type PiState } from '../../../src/later/state'
import { scratchFolder } from '../scratch'

const state = (name: string): PiState => ({
  ...{ name, run: 'run-000000000001', logs: '/logs', uarts: 1, architecture: 'arm64' },
  user: { name: 'pi', uid: 1000, gid: 1000, home: '/home/pi' },
  ssh: { port: 2222, keyFile: '/key', hostKey: undefined, config: '/config' },
  ...{ bootTimeout: 1000, startCpus: false, spinningSecondaries: false, hasDisks: false },
  ...{ env: {}, sync: 'both', workspace: '/work', volume: undefined }
})

const scratch = scratchFolder()

describe('which Pi is meant', () => {
  const up = async (names: readonly string[], kept = true): Promise<string> => {
    const runs = join(scratch.fresh(), names.join('-') || 'none')
    mkdirSync(runs)
    for (const [at, name] of names.entries()) {
      const folder = join(runs, `run-${at}`)
      mkdirSync(folder)
      writeFileSync(join(folder, 'journal.jsonl'), kept ? '{"kind":"kept"}\n' : '')
      await writeState(folder, state(name))
    }
    return runs
  }

  test('the only one, or the one that is named', async () => {
    expect(findPi(await up(['one']), undefined).state.name).toBe('one')
    expect(findPi(await up(['two', 'three']), 'three').state.name).toBe('three')
  })

  test('is said to be wrong if there is none, another, or more than one', async () => {
    expect(() => findPi('/no/such/folder', undefined)).toThrow('no Pi is up; start one with')
    const runs = await up(['pi', 'other'])
    expect(() => findPi(runs, 'third')).toThrow('no Pi “third” is up; valid: pi, other')
    expect(() => findPi(runs, undefined)).toThrow('several Pis are up; name one with `--name`: pi, other')
  })

  test('is none whose run is still under way', async () => {
    const runs = await up(['early'], false)
    expect(() => findPi(runs, undefined)).toThrow('no Pi is up')
  })
})

describe('what scripts tell those after them', () => {
  test.each([
    ['A=1\nB=two words\n', ['A', 'B']],
    ['TEXT<<END\nC=not a name\nEND\nD=1', ['TEXT', 'D']],
    ['\n1A=no\n no=no\n', []]
  ])('%j names %j', (text, names) => {
    expect(namesIn(text)).toEqual(names)
  })

  test('is kept, each once, with the folder told last in front', async () => {
    const folder = scratch.fresh()
    await remember(folder, { GITHUB_ENV: 'A=1', GITHUB_PATH: '/opt/a/bin\n' })
    await remember(folder, {})
    await remember(folder, { GITHUB_ENV: 'A=2\nB=1', GITHUB_PATH: '/opt/b/bin\n/opt/a/bin' })
    expect(await remembered(folder)).toEqual({ names: ['A', 'B'], paths: ['/opt/a/bin', '/opt/b/bin'] })
  })
})

test.each([
  [{ sync: 'both', workspace: '/work' }, '/work/sub', '/work/sub'],
  [{ sync: 'both', workspace: '/work' }, '/work', '/work'],
  [{ sync: 'live', workspace: '/work' }, '/workshop', '/work'],
  [{ sync: 'none', workspace: '/work' }, '/work/sub', undefined]
] as const)('a later script with %j starts for %s in %s', (pi, cwd, directory) => {
  expect(laterDirectory(pi, cwd)).toBe(directory)
})
