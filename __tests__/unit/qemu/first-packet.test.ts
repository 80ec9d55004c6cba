import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { FirstPacket } from '../../../src/qemu/first-packet'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const calls: unknown[] = []
const qmp = { execute: (...call: unknown[]) => Promise.resolve(calls.push(call)) }
beforeEach(() => calls.splice(0))

test('a guest has sent nothing while the record is missing, or has its header only', async () => {
  const file = join(scratch.fresh(), 'net.pcap')
  const packet = new FirstPacket(file, qmp)
  expect(await packet.hasBeenSent()).toBe(false)
  writeFileSync(file, Buffer.alloc(24))
  expect(await packet.hasBeenSent()).toBe(false)
  expect(calls).toEqual([])
})

test('with the first packet the recording ends, once, and leaves no file', async () => {
  const file = join(scratch.fresh(), 'net.pcap')
  writeFileSync(file, Buffer.alloc(100))
  const packet = new FirstPacket(file, qmp)
  expect([await packet.hasBeenSent(), await packet.hasBeenSent()]).toEqual([true, true])
  expect(calls).toEqual([['object-del', { id: 'packets' }]])
  expect(existsSync(file)).toBe(false)
})
