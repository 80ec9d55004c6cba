import { setTimeout as sleep } from 'node:timers/promises'
import { Phases } from '../../../src/report/phases'
import { RecordedLog } from '../recorded-log'

test('a phase is a group in the log, a duration and a result', async () => {
  const log = new RecordedLog()
  const phases = new Phases(log)
  const result = await phases.run('boot', 'Boot the Pi', async () => {
    log.info('booting')
    await sleep(30)
    return 42
  })
  expect(result).toBe(42)
  expect(log.entries).toEqual([
    'group: Boot the Pi',
    'info: booting',
    expect.stringMatching(/^debug: boot: \d+\.\d\d s$/),
    'end of group'
  ])
  const [row, ...more] = phases.timings
  expect(more).toEqual([])
  expect(row?.name).toBe('boot')
  expect(row?.seconds).toBeGreaterThanOrEqual(0.029)
})

test('a phase that fails is timed and closed all the same, and is the last one known', async () => {
  const log = new RecordedLog()
  const phases = new Phases(log)
  await phases.run('plan', 'Plan', () => Promise.resolve())
  await expect(phases.run('boot', 'Boot', () => Promise.reject(new Error('dark')))).rejects.toThrow('dark')
  expect(phases.last).toBe('boot')
  expect(phases.timings.map(({ name, title, failed }) => [name, title, failed])).toEqual([
    ['plan', 'Plan', false],
    ['boot', 'Boot', true]
  ])
  expect(log.entries.at(-1)).toBe('end of group')
})

test('before the first phase the run is at its start', () => {
  const phases = new Phases(new RecordedLog())
  expect([phases.last, phases.timings, phases.json()]).toEqual(['start', [], '{}'])
})

test('phases come in their order, each starting where time has got to', async () => {
  const phases = new Phases(new RecordedLog())
  for (const name of ['a', 'b', 'c']) await phases.run(name, name, () => sleep(5))
  const starts = phases.timings.map(({ start }) => start)
  expect(starts).toEqual([...starts].sort((one, other) => one - other))
  expect(phases.elapsed).toBeGreaterThanOrEqual(0.014)
})

test('a phase that was timed elsewhere counts back from now', async () => {
  const phases = new Phases(new RecordedLog())
  await sleep(20)
  phases.note('inner', 0.01)
  const [row] = phases.timings
  expect(row?.seconds).toBe(0.01)
  expect(row?.start).toBeGreaterThanOrEqual(0.009)
  expect((row?.start ?? 0) + 0.01).toBeLessThanOrEqual(phases.elapsed + 0.001)
})

test('as JSON a phase that ran twice is summed, and stays where it was first', () => {
  const phases = new Phases(new RecordedLog())
  phases.note('image', 0.1)
  phases.note('boot', 12.3456)
  phases.note('image', 0.2)
  expect(phases.json()).toBe('{"image":0.3,"boot":12.346}')
})

test('a phase beside the others takes its time meanwhile, and says its part in a section of its own', async () => {
  const log = new RecordedLog()
  const phases = new Phases(log)
  const tools = phases.beside('tools', 'Tools', async kept => {
    kept.info('one is missing')
    await sleep(20)
    return 'ready'
  })
  await phases.run('image', 'Image', () => sleep(60))
  expect(await tools()).toBe('ready')
  expect(await tools()).toBe('ready')
  expect(log.entries.filter(entry => !entry.startsWith('debug'))).toEqual([
    'group: Image',
    'end of group',
    'group: Tools',
    'info: one is missing',
    'end of group'
  ])
  const [first, second] = phases.timings
  expect([first?.name, second?.name]).toEqual(['tools', 'image'])
  expect(second?.start).toBeLessThan((first?.start ?? 0) + (first?.seconds ?? 0))
})

test('one that fails meanwhile is heard of by whoever waits for it', async () => {
  const phases = new Phases(new RecordedLog())
  const qemu = phases.beside('qemu', 'QEMU', () => Promise.reject(new Error('none')))
  await sleep(5)
  await expect(qemu()).rejects.toThrow('none')
  expect(phases.timings).toMatchObject([{ name: 'qemu', title: 'QEMU', failed: true }])
})
