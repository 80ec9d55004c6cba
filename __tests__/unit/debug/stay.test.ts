import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Context } from '../../../src/context'
import { stayOnFailure } from '../../../src/debug'
import { endFile } from '../../../src/debug/stay'
import { identify } from '../../../src/host/processes'
import type { Home } from '../../../src/host/paths'
import type { Inputs } from '../../../src/inputs'
import { Journal } from '../../../src/journal'
import { qemuProgram } from '../../../src/qemu'
import { BootFailure } from '../../../src/report/errors'
import { Phases } from '../../../src/report/phases'
import { RecordedLog } from '../recorded-log'
import { defaultInputs } from '../samples'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

const inputs = (onFailure: number | undefined): Inputs => ({
  ...defaultInputs,
  debugging: { ...defaultInputs.debugging, onFailure, vnc: 5901 }
})

/** A run whose QEMU is a program that sleeps in the run's folder, for `seconds`. */
function runWithQemu(seconds: number): { context: Context; log: RecordedLog; journal: Journal } {
  const root = scratch.fresh()
  const journal = Journal.create({ runs: join(root, 'runs'), logs: join(root, 'logs') } as Home)
  const child = spawn('sleep', [String(seconds)], { cwd: journal.folder, stdio: 'ignore' })
  children.push(child)
  const process = identify(child.pid ?? -1)
  if (process === undefined) throw new Error('no child')
  journal.record({ kind: 'process', name: qemuProgram, process })
  const log = new RecordedLog()
  return { context: { journal, log, phases: new Phases(log) } as unknown as Context, log, journal }
}

const script = (status: number) => (): Promise<number> => Promise.resolve(status)
const failed = (status: number): string | undefined => (status === 0 ? undefined : `status ${status}`)

test('without debug-on-failure, and without a failure, nobody waits', async () => {
  const { context, log } = runWithQemu(60)
  expect(await stayOnFailure(inputs(undefined), context, script(3), failed)).toBe(3)
  expect(await stayOnFailure(inputs(60_000), context, script(0), failed)).toBe(0)
  expect(log.entries).toEqual([])
})

test('a failed script leaves the Pi up until the file is touched; its status stays', async () => {
  const { context, log, journal } = runWithQemu(60)
  writeFileSync(join(journal.folder, 'ssh-config'), '')
  mkdirSync(journal.logs, { recursive: true })
  writeFileSync(join(journal.logs, 'serial0.log'), 'ab')
  writeFileSync(join(journal.logs, 'serial1.log'), 'abc')
  const file = join(journal.folder, endFile)
  setTimeout(() => {
    writeFileSync(file, '')
  }, 400)
  const began = Date.now()
  expect(await stayOnFailure(inputs(60_000), context, script(3), failed)).toBe(3)
  expect(Date.now() - began).toBeLessThan(10_000)
  const told = log.of('info')
  expect(told).toContain('status 3')
  expect(told.join('\n')).toContain(`touch ${file}`)
  expect(told).toContain(`SSH: ssh -F ${join(journal.folder, 'ssh-config')} pi`)
  // The console is where most was said.
  expect(told.join('\n')).toContain(`UNIX-CONNECT:${join(journal.folder, 'serial1.sock')}`)
  expect(told).toContain('display: VNC on 127.0.0.1:5901')
  expect(told.at(-1)).toBe(`${file} is there: done with debugging`)
  expect(context.phases.timings.map(({ name }) => name)).toEqual(['debug'])
})

test('the time ends it, and what was thrown is thrown on', async () => {
  const { context, log } = runWithQemu(60)
  const failure = new BootFailure({ symptom: 'no root', remedy: 'check `append`' })
  await expect(stayOnFailure(inputs(500), context, () => Promise.reject(failure), failed)).rejects.toBe(failure)
  expect(log.of('info')[0]).toBe('no root\nRemedy: check `append`')
  expect(log.of('info').join('\n')).not.toContain('ssh -F') // nobody was told of a file for it
  expect(log.of('info').at(-1)).toContain('time for debugging is over')
})

test('a Pi that ends is no reason to wait, and one that is gone is none either', async () => {
  const { context, log } = runWithQemu(1)
  expect(await stayOnFailure(inputs(60_000), context, script(3), failed)).toBe(3)
  expect(log.of('info').at(-1)).toBe('The Pi is gone: done with debugging')
  const before = log.entries.length
  expect(await stayOnFailure(inputs(60_000), context, script(4), failed)).toBe(4)
  expect(log.entries).toHaveLength(before)
})
