import { spawn, type ChildProcess } from 'node:child_process'
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { basename, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseCommandFile } from '../kit/runner-protocol'
import { homeFolders, type Home } from '../../src/host/paths'
import { identify, installMarker, isAlive, runMarker, type ProcessIdentity } from '../../src/host/processes'
import { isInUse, Journal, logsOf, readJournal, recordedRuns, undo, type Entry } from '../../src/journal'
import { RecordedLog } from './recorded-log'
import { scratchFolder } from './scratch'

const scratch = scratchFolder()
const children: ChildProcess[] = []
const stateFile = process.env['GITHUB_STATE']

let home: Home
let log: RecordedLog
beforeEach(() => {
  delete process.env['GITHUB_STATE']
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  if (stateFile !== undefined) process.env['GITHUB_STATE'] = stateFile
})

interface Started {
  readonly child: ChildProcess
  readonly who: ProcessIdentity
}

/** A shell script that lives for a minute, and has said that it is up. */
async function start(script: string, env: Readonly<Record<string, string>> = {}): Promise<Started> {
  const child = spawn('sh', ['-c', script], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', ...env }
  })
  children.push(child)
  await new Promise((resolve, reject) => {
    child.stdout.once('data', resolve)
    child.once('error', reject)
  })
  const who = identify(child.pid ?? 0)
  if (who === undefined) throw new Error('it ended at once')
  return { child, who }
}
const idle = 'echo up; exec sleep 60'

/** A journal whose run died: its owner is no more. */
function deadRun(...entries: readonly Entry[]): Journal {
  const journal = Journal.create(home)
  writeFileSync(
    join(journal.folder, 'journal.jsonl'),
    [{ kind: 'owner', process: { pid: process.pid, startTime: '1' } }, ...entries]
      .map(entry => `${JSON.stringify(entry)}\n`)
      .join('')
  )
  return journal
}

describe('a new run', () => {
  test('has folders for itself and its logs, for its user alone', () => {
    const { folder, logs, id } = Journal.create(home)
    expect(id).toMatch(/^run-[0-9a-f]{12}$/)
    expect([folder, logs]).toEqual([join(home.runs, id), join(home.logs, id)])
    for (const path of [folder, logs, home.runs, home.logs]) expect(statSync(path).mode & 0o777).toBe(0o700)
    expect(logsOf(folder)).toBe(logs)
  })

  test('records who does it, and that all its processes are marked, before there are any', () => {
    const { folder, id } = Journal.create(home)
    expect(readJournal(folder)).toEqual([{ kind: 'owner', process: identify(process.pid) }])
    expect(process.env[runMarker]).toBe(id)
  })

  test('is unlike any other', () => {
    expect(Journal.create(home).id).not.toBe(Journal.create(home).id)
    expect(recordedRuns(home.runs)).toHaveLength(2)
  })

  test('tells post where it is, if there is one', () => {
    const file = join(scratch.fresh(), 'state')
    writeFileSync(file, '')
    process.env['GITHUB_STATE'] = file
    const { folder } = Journal.create(home, { tellPost: true })
    const [[name, value] = []] = Object.entries(parseCommandFile(readFileSync(file, 'utf8')))
    expect(value).toBe(folder)
    expect(Journal.fromState()).toBeUndefined()
    expect(name).toBe('run-folder')
    process.env['STATE_run-folder'] = folder
    expect(Journal.fromState()).toBe(folder)
    delete process.env['STATE_run-folder']
  })

  test('is found under its real name when a link leads to the home', () => {
    const link = join(scratch.fresh(), 'home')
    mkdirSync(home.root, { recursive: true })
    symlinkSync(home.root, link)
    expect(Journal.create(homeFolders({ PI_QEMU_HOME: link })).folder.startsWith(home.runs)).toBe(true)
  })
})

describe('what is recorded', () => {
  test('is read in the order it was written, whatever is in it', () => {
    const journal = Journal.create(home)
    const path = `/tmp/it's\n"quoted"`
    journal.record({ kind: 'partial', path })
    journal.record({ kind: 'done', path })
    journal.record({ kind: 'kept' })
    expect(readJournal(journal.folder).slice(1)).toEqual([
      { kind: 'partial', path },
      { kind: 'done', path },
      { kind: 'kept' }
    ])
  })

  test('is read up to a last line that a crash cut off', () => {
    const journal = Journal.create(home)
    journal.record({ kind: 'kept' })
    appendFileSync(join(journal.folder, 'journal.jsonl'), '{"kind":"partial-file","pa')
    expect(readJournal(journal.folder).map(({ kind }) => kind)).toEqual(['owner', 'kept'])
  })

  test('is read on after such a line', () => {
    const journal = Journal.create(home)
    appendFileSync(join(journal.folder, 'journal.jsonl'), '{"kind":"par\n\n')
    journal.record({ kind: 'kept' })
    expect(readJournal(journal.folder).at(-1)).toEqual({ kind: 'kept' })
  })

  test('is nothing where there is no journal', () => {
    expect([readJournal(scratch.fresh()), recordedRuns(join(scratch.root, 'nowhere'))]).toEqual([[], []])
  })

  test('is found among other things that lie there', () => {
    const { folder } = Journal.create(home)
    writeFileSync(join(home.runs, 'README'), '')
    mkdirSync(join(home.runs, 'other'))
    expect(recordedRuns(home.runs)).toEqual([folder])
  })
})

describe('undoing', () => {
  test('removes the folder and the logs', async () => {
    const { folder, logs } = deadRun()
    mkdirSync(join(folder, 'deep/er'), { recursive: true })
    writeFileSync(join(folder, 'deep/er/file'), 'x')
    writeFileSync(join(logs, 'serial0.log'), 'x')
    expect(await undo(folder, log)).toBe(true)
    expect([readdirSync(home.runs), readdirSync(home.logs), log.entries]).toEqual([[], [], []])
  })

  test('keeps the logs when asked to', async () => {
    const { folder, logs } = deadRun()
    writeFileSync(join(logs, 'serial0.log'), 'x')
    expect(await undo(folder, log, { keepLogs: true })).toBe(true)
    expect([existsSync(folder), readdirSync(logs)]).toEqual([false, ['serial0.log']])
  })

  test('can be done again and again', async () => {
    const { folder } = deadRun({ kind: 'partial', path: join(scratch.fresh(), 'x') })
    expect([await undo(folder, log), await undo(folder, log), await undo(folder, log)]).toEqual([true, true, true])
    expect(log.entries).toEqual([])
  })

  test('leaves what a link in the folder leads to', async () => {
    const { folder } = deadRun()
    const outside = scratch.fresh()
    writeFileSync(join(outside, 'file'), 'x')
    symlinkSync(outside, join(folder, 'link'))
    await undo(folder, log)
    expect(readdirSync(outside)).toEqual(['file'])
  })

  test('leaves a run beside it alone', async () => {
    const [one, other] = [deadRun(), deadRun()]
    await undo(one.folder, log)
    expect([existsSync(other.folder), existsSync(other.logs)]).toEqual([true, true])
  })

  describe('refuses a folder that is not ours', () => {
    test.each([
      ['by its name', 'runs/my-files'],
      ['by a name that is almost ours', 'runs/run-0123456789abc'],
      ['by the folder it is in', 'elsewhere/run-0123456789ab']
    ])('%s', async (_, path) => {
      const folder = join(scratch.fresh(), path)
      mkdirSync(folder, { recursive: true })
      writeFileSync(join(folder, 'file'), 'x')
      expect(await undo(folder, log)).toBe(false)
      expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('x')
      expect(log.of('warn')[0]).toBe(`teardown: ${folder}: not a folder of ours, left alone`)
    })
  })

  test('goes on when one thing cannot be undone, and says which', async () => {
    const partial = join(scratch.fresh(), 'x.partial')
    writeFileSync(partial, '')
    // Nobody can remove the second of these, not even root.
    const { folder } = deadRun({ kind: 'partial', path: partial }, { kind: 'partial', path: '/proc/self/status' })
    expect(await undo(folder, log)).toBe(false)
    expect(log.of('warn')).toEqual([expect.stringMatching(/^teardown: \/proc\/self\/status: /)])
    expect([existsSync(partial), existsSync(folder)]).toEqual([false, false])
  })

  test('needs no journal to remove a folder that is ours: a run may have died before its first line', async () => {
    const folder = join(home.runs, 'run-0123456789ab')
    mkdirSync(folder, { recursive: true })
    expect([await undo(folder, log), existsSync(folder)]).toEqual([true, false])
  })
})

describe('processes of a run', () => {
  test('are ended with it: children and grandchildren, and no others', async () => {
    const journal = deadRun()
    const tree = await start(`sh -c 'setsid sleep 60 & echo $!; wait' & wait`, { [runMarker]: journal.id })
    const other = await start(idle, { [runMarker]: deadRun().id })
    const unmarked = await start(idle)
    const before = descendants(tree.who.pid)
    expect(before.length).toBeGreaterThanOrEqual(2)
    expect(await undo(journal.folder, log)).toBe(true)
    expect([tree.who, ...before].filter(isAlive)).toEqual([])
    expect([isAlive(other.who), isAlive(unmarked.who)]).toEqual([true, true])
  })

  test('are ended even when what started them is gone', async () => {
    const journal = deadRun()
    const pid = await orphan(journal.id)
    expect(identify(pid)).toBeDefined()
    expect(await undo(journal.folder, log)).toBe(true)
    expect(identify(pid)).toBeUndefined()
  })

  test('are ended even when somebody has removed the folder with its journal', async () => {
    const journal = deadRun()
    const pid = await orphan(journal.id)
    rmSync(home.runs, { recursive: true })
    expect(await undo(journal.folder, log)).toBe(true)
    expect(identify(pid)).toBeUndefined()
  })

  test('are ended by number, too, if the journal has it', async () => {
    const { who } = await start(idle)
    const { folder } = deadRun({ kind: 'process', name: 'qemu-system-aarch64', process: who })
    expect([await undo(folder, log), isAlive(who)]).toEqual([true, false])
  })

  test('are left alone if their number belongs to somebody else by now', async () => {
    const { who, child } = await start(idle)
    const reused = { pid: who.pid, startTime: String(Number(who.startTime) - 1) }
    const { folder } = deadRun({ kind: 'process', name: 'qemu-system-aarch64', process: reused })
    expect(await undo(folder, log)).toBe(true)
    await sleep(20)
    expect([isAlive(who), child.signalCode, log.entries]).toEqual([true, null, []])
  })

  test('that install packages are waited for and never ended: that would damage the host', async () => {
    const journal = deadRun()
    const { child } = await start('echo up; sleep 0.15; exit 5', { [installMarker]: journal.id })
    const closed = new Promise(resolve => child.once('close', resolve))
    expect(await undo(journal.folder, log)).toBe(true)
    await closed
    expect([child.exitCode, child.signalCode]).toEqual([5, null])
  })
})

describe('what is being made outside of the folder', () => {
  test('is removed if it was not finished', async () => {
    const path = join(scratch.fresh(), 'pi.img.partial')
    writeFileSync(path, 'half')
    const { folder } = deadRun({ kind: 'partial', path })
    expect([await undo(folder, log), existsSync(path)]).toEqual([true, false])
  })

  test('is removed with all it holds if it is a folder', async () => {
    const path = join(scratch.fresh(), 'exchange')
    mkdirSync(join(path, 'boot'), { recursive: true })
    writeFileSync(join(path, 'boot/kernel8.img'), 'half')
    const { folder } = deadRun({ kind: 'partial', path })
    expect([await undo(folder, log), existsSync(path)]).toEqual([true, false])
  })

  test('stays if it was', async () => {
    const path = join(scratch.fresh(), 'pi.img.partial')
    writeFileSync(path, 'whole')
    const { folder } = deadRun({ kind: 'partial', path }, { kind: 'done', path })
    expect([await undo(folder, log), readFileSync(path, 'utf8')]).toEqual([true, 'whole'])
  })

  test('is not mistaken for another that was finished', async () => {
    const place = scratch.fresh()
    const [path, other] = [join(place, 'a'), join(place, 'b')]
    for (const each of [path, other]) writeFileSync(each, '')
    const { folder } = deadRun(
      { kind: 'partial', path },
      { kind: 'partial', path: other },
      { kind: 'done', path: other }
    )
    await undo(folder, log)
    expect(readdirSync(place)).toEqual([basename(other)])
  })
})

describe('a run is in use', () => {
  test('while its owner lives', () => {
    expect(isInUse(Journal.create(home).folder)).toBe(true)
  })

  test('no longer when its owner is dead, even if a process of it still lives', async () => {
    const { who } = await start(idle)
    expect(isInUse(deadRun({ kind: 'process', name: 'qemu', process: who }).folder)).toBe(false)
  })

  test('while its Pi lives, if that was left up on purpose', async () => {
    const { who, child } = await start(idle)
    const { folder } = deadRun({ kind: 'process', name: 'qemu', process: who }, { kind: 'kept' })
    expect(isInUse(folder)).toBe(true)
    const closed = new Promise(resolve => child.once('close', resolve))
    child.kill('SIGKILL')
    await closed
    expect(isInUse(folder)).toBe(false)
  })

  test('not if nothing is known of it', () => {
    expect(isInUse(scratch.fresh())).toBe(false)
  })
})

/** Everything below a process. */
function descendants(pid: number): readonly ProcessIdentity[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean).map(Number)
  return children.flatMap(child => [
    ...(identify(child) === undefined ? [] : [identify(child) as ProcessIdentity]),
    ...descendants(child)
  ])
}

/** Starts a marked process and ends what started it; returns its number. */
async function orphan(mark: string): Promise<number> {
  const child = spawn('sh', ['-c', 'sleep 60 >/dev/null 2>&1 & echo $!'], {
    stdio: ['ignore', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', [runMarker]: mark }
  })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString()
  })
  await new Promise(resolve => child.once('close', resolve))
  return Number(text)
}
