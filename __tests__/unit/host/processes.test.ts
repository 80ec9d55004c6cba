import { spawn, type ChildProcess } from 'node:child_process'
import { copyFileSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { end, identify, isAlive, marked, waitForEnd, type ProcessIdentity } from '../../../src/host/processes'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const started: ChildProcess[] = []
afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL')
})

/** Starts a program, and waits until it is what it is: before exec it is a copy of this process. */
async function start(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {}
): Promise<{ readonly child: ChildProcess; readonly who: ProcessIdentity }> {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'ignore'], env: { PATH: '/usr/bin:/bin', ...env } })
  started.push(child)
  await new Promise((resolve, reject) => child.once('spawn', resolve).once('error', reject))
  const who = identify(child.pid ?? 0)
  if (who === undefined) throw new Error(`${program} ended at once`)
  return { child, who }
}

const gone = (child: ChildProcess): Promise<unknown> => new Promise(resolve => child.once('close', resolve))
const unique = (): string => `unit-${process.pid}-${Math.random().toString(36).slice(2)}`

describe('who a process is', () => {
  test('its number and its start tell', async () => {
    const { child, who } = await start('sleep', ['60'])
    expect(who.pid).toBe(child.pid)
    expect(who.startTime).toMatch(/^\d+$/)
    expect([isAlive(who), isAlive({ ...who, startTime: '1' })]).toEqual([true, false])
  })

  test('is told apart from what starts later', async () => {
    const first = await start('sleep', ['60'])
    await sleep(30) // two ticks of the kernel's clock
    const second = await start('sleep', ['60'])
    expect(second.who.startTime).not.toBe(first.who.startTime)
  })

  test('is found whatever its name: the name may hold brackets, blanks and a letter that looks like a state', async () => {
    const program = join(scratch.fresh(), 'a) Z 1 (b')
    copyFileSync('/bin/sleep', program)
    const { who } = await start(program, ['60'])
    expect(readFileSync(`/proc/${who.pid}/stat`, 'utf8')).toContain('(a) Z 1 (b)')
    const fields = readFileSync(`/proc/${who.pid}/stat`, 'utf8').split('(b) ')[1]?.split(' ') ?? []
    expect(who.startTime).toBe(fields[19])
  })

  test('is unknown where there is none', () => {
    expect(identify(4_194_305)).toBeUndefined() // one above the greatest number a process can have
    expect(isAlive({ pid: 4_194_305, startTime: '1' })).toBe(false)
  })

  test('is unknown of one that has ended and waits to be buried', async () => {
    // Whose parent never asks how it ended: it is no shell any more by then.
    const { child } = await start('sh', ['-c', 'sleep 0.3 & echo $!; exec sleep 60'])
    const pid = await new Promise<number>(resolve => {
      child.stdout?.once('data', (text: Buffer) => {
        resolve(Number(text))
      })
    })
    const state = (): string | undefined => /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
    for (let tries = 0; state() !== 'Z' && tries < 200; tries++) await sleep(10)
    expect([state(), identify(pid)]).toEqual(['Z', undefined])
  })
})

describe('marked processes', () => {
  test('are those with the marker in their environment, and all that they started', async () => {
    const mark = unique()
    const { child, who } = await start('sh', ['-c', 'sh -c "sleep 60 & echo ready; wait" & wait'], { UNIT_MARK: mark })
    await new Promise(resolve => child.stdout?.once('data', resolve))
    const found = marked('UNIT_MARK', mark)
    expect(found).toHaveLength(3)
    expect(found).toContainEqual(who)
    expect(await end(found)).toEqual([])
    expect(marked('UNIT_MARK', mark)).toEqual([])
  })

  test('are not those whose marker only begins like it, or has another name', async () => {
    const mark = unique()
    await start('sleep', ['60'], { UNIT_MARK: `${mark}0`, OTHER_UNIT_MARK: mark, UNIT: mark })
    expect(marked('UNIT_MARK', mark)).toEqual([])
  })

  test('never include this one', () => {
    const [name = '', value = ''] =
      /^(PATH)=(.*)$/m.exec(readFileSync('/proc/self/environ', 'utf8').replaceAll('\0', '\n'))?.slice(1) ?? []
    expect(marked(name, value).map(({ pid }) => pid)).not.toContain(process.pid)
  })
})

describe('ending', () => {
  test('is asked for first', async () => {
    const { child, who } = await start('sh', ['-c', 'trap "exit 7" TERM; echo ready; while :; do sleep 0.05; done'])
    await new Promise(resolve => child.stdout?.once('data', resolve))
    const [left] = await Promise.all([end([who]), gone(child)])
    expect([left, child.exitCode, child.signalCode]).toEqual([[], 7, null])
  })

  test('is enforced where that is not heard', async () => {
    const { child, who } = await start('sh', ['-c', 'trap "" TERM; echo ready; while :; do sleep 0.05; done'])
    await new Promise(resolve => child.stdout?.once('data', resolve))
    const [left] = await Promise.all([end([who], 100), gone(child)])
    expect([left, child.signalCode]).toEqual([[], 'SIGKILL'])
  })

  test('leaves a process alone that only has the number of one that is gone', async () => {
    const { child, who } = await start('sleep', ['60'])
    expect(await end([{ ...who, startTime: `${who.startTime}0` }])).toEqual([])
    await sleep(20)
    expect([isAlive(who), child.signalCode]).toEqual([true, null])
  })

  test('of nothing is done at once', async () => {
    expect([await end([]), await waitForEnd([], 60_000)]).toEqual([[], []])
  })

  test('is waited for no longer than was said, and who is left is named', async () => {
    const { who } = await start('sleep', ['60'])
    const before = Date.now()
    expect(await waitForEnd([who], 60)).toEqual([who])
    expect(Date.now() - before).toBeGreaterThanOrEqual(59)
  })
})
