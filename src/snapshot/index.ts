import { mkdir, rm, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { watchBoot } from '../guest'
import { tool } from '../host/exec'
import { channelName, holdArgument, makeKeys, placeholder, type PreparedImage } from '../images'
import { quitQemu, runFiles, SerialLog, startQemu, type Machine, type Qemu } from '../qemu'
import { BootFailure, messageOf, TimeLimit } from '../report/errors'
import { Channel } from './channel'
import { freeze, thaw } from './freeze'
import {
  adoptSnapshot,
  dropSnapshot,
  isUnfit,
  loadSnapshot,
  markUnfit,
  rebaseDisk,
  snapshotFiles,
  type Snapshot
} from './store'
import { settleText, type SettleRequest } from './texts'
import type { Awake, SnapshotRequest } from './types'
import { keyPlaces, wake } from './wake'

export type { Answer } from './channel'
export type { Awake, SnapshotRequest } from './types'
export { snapshotKey, whyNoSnapshot } from './decision'

/**
 * Size (bytes) of the workspace's device in a guest that can be continued: it cannot change, and the file is sparse.
 * ext4 on a host with blocks of 4 KiB has files of up to 16 TiB.
 */
const workspaceDeviceSize = 2 ** 40

/** How long (ms) a continued guest may take to let us in, on a slow host; idle ones take 2 s. */
const wakePatience = 60_000

/** How long (ms) a guest whose console asks for a login may go on starting units. */
const agentPatience = 90_000

/**
 * Continues the booted Pi from the cache; where there is none, boots one, keeps a snapshot of it, and goes on with it.
 * @returns undefined if neither was possible: then nothing is left of the attempt, and the guest has to be booted
 * @throws BootFailure or TimeLimit if the guest itself does not come up
 */
export async function bootWithSnapshot(request: SnapshotRequest): Promise<Awake | undefined> {
  const { key, place } = request
  const { home, log, phases } = place
  if (isUnfit(home, key)) {
    log.info('Snapshot: none, since an earlier attempt with this image and machine failed')
    return undefined
  }
  // First of all: what is in use is not evicted.
  place.journal.record({ kind: 'uses', path: join(home.snapshots, key) })
  if (!(await makeRoom(join(place.journal.folder, workspaceOf(request.machine))))) {
    log.info('Snapshot: none, since the disk of the run has no sparse files of 1 TiB')
    return undefined
  }
  const snapshot = (await loadSnapshot(home, key)) ?? (await fetchSnapshot(request))
  if (snapshot === undefined && !request.mayMake) return undefined
  let qemu: Qemu | undefined
  const channel = await Channel.listen(place.journal.folder, runFiles.channel)
  const running = (started: Qemu): void => {
    qemu = started
  }
  try {
    const awake =
      snapshot === undefined
        ? await makeAndGoOn(request, channel, running)
        : await phases.run('boot', 'Continue the booted Pi', () => goOn(request, snapshot, channel, running))
    await channel.hangUp()
    return awake
  } catch (error) {
    channel.close()
    // A guest that does not come up is left to the teardown: somebody may want to look into it.
    if (isOfTheRun(error, { wasKept: snapshot !== undefined, hasStarted: qemu !== undefined })) throw error
    if (qemu !== undefined) await quitQemu(qemu)
    await rm(join(place.journal.folder, runFiles.disk), { force: true })
    log.warn(
      `The booted Pi could not be ${snapshot === undefined ? 'saved' : 'continued'} (${messageOf(error)}); booting instead`
    )
    // A QEMU that somebody killed says nothing about the next one.
    const wasKilled = qemu?.exit()?.startsWith('signal') === true
    if (!wasKilled) {
      if (snapshot !== undefined) await dropSnapshot(snapshot)
      await markUnfit(home, key, messageOf(error)).catch(() => undefined)
    }
    return undefined
  }
}

/**
 * Whether a plain boot would fail for the same reason: the guest does not come up, or QEMU does not start and says why (a
 * port that is taken, say).
 */
function isOfTheRun(error: unknown, { wasKept, hasStarted }: { wasKept: boolean; hasStarted: boolean }): boolean {
  if (!hasStarted) return error instanceof BootFailure && error.details.cause !== undefined
  return !wasKept && (error instanceof BootFailure || error instanceof TimeLimit)
}

/** Gives the workspace's volume the size of its device. */
async function makeRoom(file: string): Promise<boolean> {
  await writeFile(file, '', { flag: 'a' })
  return truncate(file, workspaceDeviceSize).then(
    () => true,
    () => false
  )
}

const workspaceOf = ({ volumes }: Machine): string => volumes[0]?.file ?? ''

/** The machine that is saved, and continued: booted to where SSH would start. */
function held(machine: Machine): Machine {
  return { ...machine, channel: channelName, kernelArguments: [...machine.kernelArguments, holdArgument] }
}

async function fetchSnapshot({ shared, key, image, place }: SnapshotRequest): Promise<Snapshot | undefined> {
  const build = join(place.journal.folder, 'snapshot')
  if (shared === undefined) return undefined
  await mkdir(build)
  try {
    const found = await place.phases.run('snapshot-fetch', 'Look for a booted Pi in the cache', () =>
      shared.restore({ kind: 'snapshot', key }, build, place)
    )
    if (!found) return undefined
    await rebaseDisk(build, image)
    return await adoptSnapshot(build, place.home, key)
  } catch (error) {
    place.log.warn(`The booted Pi from the cache is not usable: ${messageOf(error)}`)
    return undefined
  } finally {
    await rm(build, { recursive: true, force: true })
  }
}

async function goOn(
  request: SnapshotRequest,
  snapshot: Snapshot,
  channel: Channel,
  running: (qemu: Qemu) => void
): Promise<Awake> {
  const { machine, install, place, started } = request
  const disk = ['-F', 'qcow2', '-b', snapshot.disk, runFiles.disk, String(snapshot.diskSize)]
  await tool('qemu-img', ['create', '-q', '-u', '-f', 'qcow2', ...disk], { cwd: place.journal.folder })
  const qemu = await startQemu({ ...held(machine), incoming: true }, install, place.journal, snapshot.memory)
  running(qemu)
  await thaw(qemu.qmp)
  const serial = new SerialLog(place.journal.logs, machine.board.uarts)
  started(serial, qemu)
  return { ...(await wake(request, { qemu, serial, channel }, wakePatience)), restored: true, made: undefined }
}

async function makeAndGoOn(request: SnapshotRequest, channel: Channel, running: (qemu: Qemu) => void): Promise<Awake> {
  const { key, image, machine, install, place, started, timeout } = request
  const { journal, phases, log, home } = place
  const build = join(journal.folder, 'snapshot')
  await mkdir(build)
  const folder = join(journal.folder, 'throwaway')
  await mkdir(folder)
  const settle = settleText(await firstKeys(image, folder))
  const diskFile = `snapshot/${snapshotFiles.disk}`
  const { qemu, serial, diskSize } = await phases.run(
    'boot',
    `Boot ${image.title} on ${machine.board.name}`,
    async () => {
      const size = await makeHeldDisk(image, journal.folder, diskFile)
      const guest = await startQemu({ ...held(machine), diskFile }, install, journal)
      running(guest)
      const console = new SerialLog(journal.logs, machine.board.uarts)
      started(console, guest)
      const settled = Promise.race([channel.run(settle), silence(console)])
      const { code, output } = await watchBoot({ qemu: guest, serial: console, timeout, log }, settled)
      if (code !== 0) throw new Error(`the guest is not ready: ${output.trim()}`)
      return { qemu: guest, serial: console, diskSize: size }
    }
  )
  const made = await phases.run('snapshot', 'Save the booted Pi', async () => {
    await freeze(qemu.qmp, { memory: `snapshot/${snapshotFiles.memory}`, disk: runFiles.disk, build, diskSize })
    return adoptSnapshot(build, home, key)
  })
  const awake = await phases.run('login', 'Give it the keys of this run', () =>
    wake(request, { qemu, serial, channel }, timeout)
  )
  return { ...awake, restored: false, made }
}

/** The guest's server starts with a key that opens nothing, and is gone from its file when the guest is saved. */
async function firstKeys(image: PreparedImage, folder: string): Promise<SettleRequest> {
  const { slots } = await makeKeys(folder)
  return {
    throwaway: keyPlaces(image, { 'host-key': slots['host-key'] }),
    empty: keyPlaces(image, { 'host-key': Buffer.from(placeholder('host-key')) })
  }
}

/** Fails once the guest has been up for a while without a word from its agent. */
async function silence(serial: SerialLog): Promise<never> {
  while (!serial.tail(40).some(line => /login:|mini: up/.test(line))) await sleep(1000, undefined, { ref: false })
  await sleep(agentPatience, undefined, { ref: false })
  throw new Error(`nobody in the guest answered within ${agentPatience / 1000} s of its login prompt`)
}

/** The disk of a guest without keys: what it writes until it stands still. */
async function makeHeldDisk(image: PreparedImage, folder: string, name: string): Promise<number> {
  const size = 2 ** Math.ceil(Math.log2(image.diskSize))
  await tool('qemu-img', ['create', '-q', '-f', 'qcow2', '-F', 'raw', '-b', image.disk, name, String(size)], {
    cwd: folder
  })
  return size
}
