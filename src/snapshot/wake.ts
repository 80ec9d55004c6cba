import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitForLogin } from '../guest'
import type { Qemu, SerialLog } from '../qemu'
import { TimeLimit } from '../report/errors'
import type { Channel } from './channel'
import { notRevived, reviveText } from './texts'
import type { Awake, SnapshotRequest } from './types'

/** Gives a guest that stands still the clock, the random numbers and the keys of this run, and logs in. */
export async function wake(
  { image, keys, login, setup, place: { log } }: SnapshotRequest,
  { qemu, serial, channel }: { readonly qemu: Qemu; readonly serial: SerialLog; readonly channel: Channel },
  patience: number
): Promise<Pick<Awake, 'qemu' | 'serial' | 'session' | 'setup'>> {
  const places = image.slots.flatMap(({ path, content }) => {
    const bytes = keys[content]
    return path === undefined || bytes === undefined ? [] : [{ path, content: bytes }]
  })
  const clock = Date.now()
  const revive = reviveText({ clock, seed: randomBytes(64), keys: places })
  const answering = channel.run(revive + setup(clock))
  const ready = Promise.all([
    answering.then(answer => {
      if (answer.code === notRevived) throw new Error(`the guest did not take its keys: ${answer.output.trim()}`)
      return answer
    }),
    waitForLogin({ qemu, serial, login: { ...login, port: qemu.sshPort }, timeout: patience, log })
  ])
  const late = sleep(patience, undefined, { ref: false }).then(() => {
    throw new TimeLimit({ symptom: `no answer within ${patience / 1000} s`, log: serial.mainFile })
  })
  const [answer, session] = await Promise.race([ready, late])
  return { qemu, serial, session, setup: answer }
}
