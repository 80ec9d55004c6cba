import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { tool, tryTool } from '../../../src/host/exec'
import { leavable } from '../../../src/host/going-on'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

test('work goes on, and gives its result', async () => {
  expect(await leavable().run(() => tool('echo', ['done']))).toBe('done\n')
})

test('what was left starts no more programs, and makes nothing of those that have ended', async () => {
  const file = join(scratch.fresh(), 'file')
  const doing = leavable()
  const seen: string[] = []
  const next = (): Promise<void> =>
    doing.run(async () => {
      await tool('touch', [file])
      seen.push('after one that was not started')
    })
  // As a run that fails leaves what it had begun.
  void doing.run(async () => {
    await tryTool('sleep', ['0.3'])
    seen.push('after one that was running')
  })
  await sleep(100)
  const other = await doing.leaveFor(async () => {
    void next()
    return tool('echo', ['teardown'])
  })
  expect(other).toBe('teardown\n')
  await sleep(500)
  expect([seen, existsSync(file)]).toEqual([[], false])
})

test('a teardown that the work itself brings about has its programs', async () => {
  const doing = leavable()
  expect(await doing.run(() => doing.leaveFor(() => tool('echo', ['teardown'])))).toBe('teardown\n')
})
