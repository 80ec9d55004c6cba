import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { boards } from '../../../src/boards'
import { boardsCommand, cleanCommand, stopCommand } from '../../../src/commands/host'
import { homeFolders, type Home } from '../../../src/host/paths'
import { identify } from '../../../src/host/processes'
import { Journal } from '../../../src/journal'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
let home: Home
let log: RecordedLog
beforeEach(() => {
  delete process.env['GITHUB_STATE']
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
})

/** What a command prints, and its status. */
async function printed(
  command: (print: (line: string) => void) => number | Promise<number>
): Promise<readonly string[]> {
  const lines: string[] = []
  const status = await command(line => lines.push(line))
  return [...lines, `status ${status}`]
}

/** A run whose owner is dead. */
function deadRun(): Journal {
  const journal = Journal.create(home)
  const owner = { kind: 'owner', process: { pid: process.pid, startTime: '1' } }
  writeFileSync(join(journal.folder, 'journal.jsonl'), `${JSON.stringify(owner)}\n`)
  return journal
}

test('boards: a line for each, with what it runs and what it needs', async () => {
  const lines = await printed(boardsCommand)
  expect(lines.slice(0, -1).map(line => line.split(' ')[0])).toEqual(Object.keys(boards))
  expect(lines[0]).toMatch(/^raspi3b +Raspberry Pi 3 Model B .*; arm64, armhf; QEMU \d+\.\d+ or newer$/)
  expect(lines.at(-1)).toBe('status 0')
})

describe('clean', () => {
  test('removes what dead runs left, and leaves living runs alone', async () => {
    const dead = deadRun()
    const living = Journal.create(home)
    expect(await cleanCommand(home, log, { cache: false })).toBe(0)
    expect([existsSync(dead.folder), existsSync(dead.logs)]).toEqual([false, false])
    expect([existsSync(living.folder), existsSync(living.logs)]).toEqual([true, true])
    expect(log.of('info')).toEqual(['1 dead run(s) torn down, 1 alive and left alone'])
  })

  test('removes logs whose run is gone', async () => {
    mkdirSync(join(home.logs, 'run-0123456789ab'), { recursive: true })
    await cleanCommand(home, log, { cache: false })
    expect(readdirSync(home.logs)).toEqual([])
  })

  test('keeps the cache unless asked', async () => {
    mkdirSync(join(home.images, 'x'), { recursive: true })
    await cleanCommand(home, log, { cache: false })
    expect(existsSync(home.images)).toBe(true)
    await cleanCommand(home, log, { cache: true })
    expect(existsSync(home.images)).toBe(false)
  })

  test('keeps the cache while a run may be using it', async () => {
    mkdirSync(join(home.images, 'x'), { recursive: true })
    Journal.create(home)
    await cleanCommand(home, log, { cache: true })
    expect(existsSync(home.images)).toBe(true)
    expect(log.of('warn')).toEqual(['the cache is in use by a living run, and was kept'])
  })

  test('finds nothing to do where nothing has ever run', async () => {
    expect(await cleanCommand(home, log, { cache: true })).toBe(0)
    expect(log.of('info')).toEqual(['0 dead run(s) torn down'])
  })
})

describe('stop', () => {
  test('ends the Pis that were left up, and nothing else', async () => {
    const qemu = spawn('sleep', ['60'], { stdio: 'ignore' })
    await new Promise(resolve => qemu.once('spawn', resolve))
    const who = identify(qemu.pid ?? 0)
    const [kept, dead] = [deadRun(), deadRun()]
    if (who !== undefined) kept.record({ kind: 'process', name: 'qemu-system-aarch64', process: who })
    kept.record({ kind: 'kept' })
    expect(await stopCommand(home, log)).toBe(0)
    expect(identify(qemu.pid ?? 0)).toBeUndefined()
    expect(readdirSync(home.runs)).toEqual([basename(dead.folder)])
    expect(log.of('info')).toEqual(['1 switched off'])
  })

  test('says so when none is up', async () => {
    expect(await stopCommand(home, log)).toBe(0)
    expect(log.of('info')).toEqual(['No Pi is up'])
  })
})
