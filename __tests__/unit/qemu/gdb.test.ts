import { waitForGdb, whyStopped } from '../../../src/qemu/gdb'
import type { Qemu } from '../../../src/qemu'
import { TimeLimit } from '../../../src/report/errors'
import { RecordedLog } from '../recorded-log'

/** A machine whose states are asked for one after the other; the last one stays. */
function machine(states: string[], alive = true): Qemu {
  const execute = (): Promise<unknown> => {
    const status = states.length > 1 ? states.shift() : states[0]
    return status === undefined ? Promise.reject(new Error('QEMU closed the connection')) : Promise.resolve({ status })
  }
  return { qmp: { execute }, isAlive: () => alive, exit: () => 'status 1' } as unknown as Qemu
}
const gdb = { port: 1234, waits: true }

test('the wait for gdb is over once the machine runs, and says where to connect', async () => {
  const log = new RecordedLog()
  await waitForGdb(machine(['prelaunch', 'prelaunch', 'running']), gdb, 5000, log)
  expect(log.entries.join()).toContain("gdb-multiarch -ex 'target remote 127.0.0.1:1234'")
})

test('a gdb that never comes is told apart from a slow boot', async () => {
  const failure = await waitForGdb(machine(['prelaunch']), gdb, 0, new RecordedLog()).catch((error: unknown) => error)
  expect(failure).toBeInstanceOf(TimeLimit)
  expect((failure as TimeLimit).details).toMatchObject({
    symptom: expect.stringContaining('gdb did not let the CPUs go') as string,
    remedy: expect.stringContaining('leave out `,wait`') as string
  })
})

test('a QEMU that ends meanwhile is no reason to wait', async () => {
  await expect(waitForGdb(machine([], false), gdb, 5000, new RecordedLog())).rejects.toThrow(
    'QEMU ended before gdb let the CPUs go (status 1)'
  )
})

test('a guest is late because its CPUs were stopped, or for a reason of its own', async () => {
  expect((await whyStopped(machine(['debug'])))?.cause).toContain('stand still')
  expect(await whyStopped(machine(['running']))).toBeUndefined()
  expect(await whyStopped(machine([], false))).toBeUndefined()
})
