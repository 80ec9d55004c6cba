import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { evict, localEntries, toEvict, type LocalEntry } from '../../../src/cache/evict'
import { homeFolders, type Home } from '../../../src/host/paths'
import { Journal, pathsInUse } from '../../../src/journal'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const entry = (path: string, bytes: number, lastUse: number): LocalEntry => ({ kind: 'image', path, bytes, lastUse })
const paths = (entries: readonly LocalEntry[]): readonly string[] => entries.map(({ path }) => path)

describe('what has to go', () => {
  const entries = [entry('new', 40, 300), entry('old', 40, 100), entry('middle', 40, 200)]

  test.each<[string, number, readonly string[], readonly string[]]>([
    ['nothing within the limit', 120, [], []],
    ['what was not used for the longest time first', 119, [], ['old']],
    ['as many as it takes', 79, [], ['old', 'middle']],
    ['all, if the limit is nothing', 0, [], ['old', 'middle', 'new']],
    ['never what is in use, even if it is the oldest', 79, ['old'], ['middle', 'new']],
    ['nothing where all is in use', 0, ['old', 'middle', 'new'], []]
  ])('%s', (_, limit, inUse, gone) => {
    expect(paths(toEvict(entries, limit, new Set(inUse)))).toEqual(gone)
  })

  test('an entry that takes nothing is left alone', () => {
    expect(toEvict([entry('empty', 0, 1), entry('big', 10, 2)], 5, new Set())).toEqual([entry('big', 10, 2)])
  })
})

describe('on disk', () => {
  let home: Home
  let log: RecordedLog
  beforeEach(() => {
    delete process.env['GITHUB_STATE']
    home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
    log = new RecordedLog()
  })
  const make = (folder: string, name: string, kibibytes: number, lastUse: number): string => {
    const path = join(folder, name)
    mkdirSync(path, { recursive: true })
    writeFileSync(join(path, 'disk.img'), Buffer.alloc(kibibytes * 1024, 1))
    utimesSync(path, lastUse, lastUse)
    return path
  }

  test('all kinds count together, and go by their last use', async () => {
    const image = make(home.images, 'image', 400, 1000)
    const kernel = make(home.kernels, 'kernel', 400, 500)
    const snapshot = make(join(home.root, 'snapshots'), 'snapshot', 400, 2000)
    expect((await localEntries(home)).map(({ kind, path }) => [kind, path])).toEqual([
      ['image', image],
      ['kernel', kernel],
      ['snapshot', snapshot]
    ])
    const workDir = scratch.fresh()
    const gone = await evict({ home, limit: 900 * 1024, workDir, log })
    expect(paths(gone)).toEqual([kernel])
    expect([existsSync(image), existsSync(kernel), existsSync(snapshot)]).toEqual([true, false, true])
    expect(readdirSync(join(workDir, 'evicted'))).toEqual([])
  })

  test('what a living run uses stays; what a dead one used does not', async () => {
    const used = make(home.images, 'used', 100, 1)
    const other = make(home.images, 'other', 100, 2)
    const journal = Journal.create(home)
    journal.record({ kind: 'uses', path: used })
    // A part of the run writes to the same record.
    journal.part('prepare').record({ kind: 'uses', path: join(home.images, 'later') })
    expect(pathsInUse(home.runs)).toEqual(new Set([used, join(home.images, 'later')]))
    const gone = await evict({ home, limit: 0, workDir: journal.folder, log })
    expect([paths(gone), existsSync(used), existsSync(other)]).toEqual([[other], true, false])
    writeFileSync(join(journal.folder, 'journal.jsonl'), JSON.stringify({ kind: 'uses', path: used }))
    expect(paths(await evict({ home, limit: 0, workDir: scratch.fresh(), log }))).toEqual([used])
  })

  test('a fault is told, and fails nothing', async () => {
    make(home.images, 'image', 100, 1)
    const workDir = join(scratch.fresh(), 'file')
    writeFileSync(workDir, '')
    expect(await evict({ home, limit: 0, workDir, log })).toEqual([])
    expect(log.of('info').join('\n')).toContain('Nothing more was evicted')
  })
})
