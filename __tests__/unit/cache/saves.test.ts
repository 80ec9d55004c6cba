import { setTimeout as sleep } from 'node:timers/promises'
import { readOnly, Saves, type SharedCache } from '../../../src/cache'
import { Phases } from '../../../src/report/phases'
import { RecordedLog } from '../recorded-log'

const names = (phases: Phases): readonly string[] => phases.timings.map(({ name }) => name)

test('what goes on beside the run is waited for at its end, with a row for each', async () => {
  const phases = new Phases(new RecordedLog())
  const saves = new Saves(phases)
  let saved = false
  void saves.start('cache-save', async () => {
    await sleep(30)
    saved = true
  })
  await phases.run('boot', 'Boot', () => Promise.resolve())
  expect(saved).toBe(false)
  await saves.settle()
  expect([saved, names(phases)]).toEqual([true, ['boot', 'cache-save', 'cache-wait']])
})

test('a fault in it ends nothing, and what was over is not waited for', async () => {
  const phases = new Phases(new RecordedLog())
  const saves = new Saves(phases)
  void saves.start('cache-save', () => Promise.reject(new Error('no')))
  void saves.start(undefined, () => Promise.resolve())
  await sleep(10)
  await saves.settle()
  expect(names(phases)).toEqual(['cache-save'])
})

test('a cache that is only read takes nothing', async () => {
  const asked: string[] = []
  const cache: SharedCache = {
    canSave: true,
    restore: ({ key }) => Promise.resolve(asked.push(`restore ${key}`) > 0),
    save: ({ key }) => Promise.resolve(asked.push(`save ${key}`) > 0)
  }
  const place = {} as Parameters<SharedCache['save']>[2]
  const own = readOnly(cache)
  const entry = { kind: 'prepared', key: 'one' } as const
  expect([own.canSave, await own.save(entry, '', place), await own.restore(entry, '', place)]).toEqual([
    false,
    false,
    true
  ])
  expect(asked).toEqual(['restore one'])
})
