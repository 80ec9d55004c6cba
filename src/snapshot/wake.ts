import { randomBytes } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { waitForLogin } from '../guest'
import type { PreparedImage, RunKeys } from '../images'
import type { Qemu, SerialLog } from '../qemu'
import { TimeLimit } from '../report/errors'
import type { Channel } from './channel'
import { reviveText, type KeyPlace } from './texts'
import type { Awake, SnapshotRequest } from './types'

/** ms; a guest that is up already says no at once, and is asked again. */
const knockInterval = 30

/** Where the keys of a run go in a guest's files. */
export function keyPlaces(image: PreparedImage, keys: Partial<RunKeys['slots']>): readonly KeyPlace[] {
  return image.slots.flatMap(({ path, content }) => {
    const bytes = keys[content]
    return path === undefined || bytes === undefined ? [] : [{ path, content: bytes }]
  })
}

/** Gives a guest that stands still the random numbers, the keys and the clock of this run, and logs in. */
export async function wake(
  { image, keys, login, setup, place: { log } }: SnapshotRequest,
  { qemu, serial, channel }: { readonly qemu: Qemu; readonly serial: SerialLog; readonly channel: Channel },
  patience: number
): Promise<Pick<Awake, 'qemu' | 'serial' | 'session' | 'setup'>> {
  const reviving = channel.run(reviveText({ seed: randomBytes(64), keys: keyPlaces(image, keys) }))
  const settingUp = channel.run(setup(Date.now()))
  const loggingIn = reviving.then(({ code, output }) => {
    if (code !== 0) throw new Error(`the guest did not take its keys: ${output.trim()}`)
    // Not before: it would meet the server with other keys.
    const guestLogin = { ...login, port: qemu.sshPort }
    return waitForLogin({ qemu, serial, login: guestLogin, timeout: patience, log, knockInterval })
  })
  const late = sleep(patience, undefined, { ref: false }).then(() => {
    throw new TimeLimit({ symptom: `no answer within ${patience / 1000} s`, log: serial.mainFile })
  })
  const [answer, session] = await Promise.race([Promise.all([settingUp, loggingIn]), late])
  return { qemu, serial, session, setup: answer }
}
