import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { boards } from '../../../src/boards'
import { Rebooted, waitForLogin } from '../../../src/guest'
import { readBootText } from '../../../src/images'
import { makeOverlay } from '../../../src/images/overlay'
import { assembleImage } from '../../../src/images/mini/assemble'
import { inspectDisk } from '../../../src/images/partitions'
import { planMachine } from '../../../src/plan'
import { SerialLog, type Qemu } from '../../../src/qemu'
import { Qmp } from '../../../src/qemu/qmp'
import type { Log } from '../../../src/report/log'
import { defaultInputs, preparedImage } from '../samples'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

test("the machine gets the image's own arguments, then ours for the board", () => {
  const cmdline = 'console=serial0,115200 root=PARTUUID=0f1c09b8-02 rootfstype=ext4 rootwait init=/first'
  const image = preparedImage({ kernelArguments: ['systemd.mask=apt-daily.timer'] })
  const { machine } = planMachine({
    ...{ inputs: defaultInputs, image, board: boards.raspi3b, volumes: [], logs: '/logs', clock: 1_700_000_000_123 },
    cmdline
  })
  const words = machine.kernelArguments
  expect(words.slice(0, 4)).toEqual(['root=PARTUUID=0f1c09b8-02', 'rootfstype=ext4', 'rootwait', 'init=/first'])
  expect(words).toContain('console=ttyS0,115200')
  expect(words).toContain('systemd.mask=apt-daily.timer')
  expect(words.filter(word => /^(root=PARTUUID=4e639091|console=serial0|rw$)/.test(word))).toEqual([])
})

test("QEMU's word that the guest has reset itself is heard; a power-off is another", async () => {
  const folder = scratch.fresh()
  const shutdown = (reason: string): string =>
    `${JSON.stringify({ event: 'SHUTDOWN', data: { guest: true, reason } })}\r\n`
  const server = createServer(socket => {
    socket.write(`${JSON.stringify({ QMP: {} })}\r\n`)
    socket.once('data', () => {
      socket.write(`${JSON.stringify({ return: {}, id: 1 })}\r\n${shutdown('guest-shutdown')}`)
      socket.once('data', () => socket.write(shutdown('guest-reset')))
    })
  })
  await new Promise<void>(resolve => server.listen(join(folder, 'qmp.sock'), resolve))
  const qmp = await Qmp.connect(folder, 'qmp.sock')
  let reset = false
  const heard = qmp.guestReset.then(() => (reset = true))
  await new Promise(resolve => setTimeout(resolve, 100))
  expect(reset).toBe(false)
  qmp.execute('query-status').catch(() => undefined)
  await heard
  expect(reset).toBe(true)
  qmp.close()
  server.close()
})

test('waiting for a login ends with a reboot, and shows no console for it', async () => {
  const said: string[] = []
  const note = (text: string | null): void => void said.push(String(text))
  const log: Log = {
    info: note,
    warn: note,
    error: note,
    debug: note,
    group: note,
    endGroup: () => undefined,
    progress: note
  }
  const logs = scratch.fresh()
  writeFileSync(join(logs, 'serial0.log'), 'Booting Linux\n')
  const qemu = { isAlive: () => true, exit: () => undefined } as unknown as Qemu
  const login = { port: 9, user: 'pi', privateKey: '', hostKey: undefined }
  const boot = { qemu, serial: new SerialLog(logs, 1), login, timeout: 60_000, log }
  const started = Date.now()
  await expect(waitForLogin({ ...boot, reboot: Promise.resolve() })).rejects.toBeInstanceOf(Rebooted)
  expect(said).toEqual([])
  expect(Date.now() - started).toBeLessThan(5000)
})

describe('cmdline.txt', () => {
  test("is read from the run's disk, whatever its path is", async () => {
    const workDir = scratch.fresh()
    const [bootDir, rootDir] = [join(workDir, 'boot, files'), join(workDir, 'root')]
    for (const dir of [bootDir, rootDir]) mkdirSync(dir)
    writeFileSync(join(bootDir, 'cmdline.txt'), 'root=PARTUUID=00000001-02 init=/first\n')
    const disk = join(workDir, 'disk.img')
    const size = { bootStartMiB: 8, bootMiB: 40, rootMiB: 16, diskId: '00000001', ownedByRoot: true }
    await assembleImage({ bootDir, rootDir, out: disk, workDir, ...size })
    const layout = await inspectDisk(disk)
    expect(layout.boot.offset).toBe(8 * 1024 * 1024)
    const image = preparedImage({ disk, layout, diskSize: 64 * 1024 * 1024, slots: [] })
    const runFolder = join(workDir, 'run, with a comma')
    mkdirSync(runFolder)
    await makeOverlay(image, { slots: {} } as unknown as Parameters<typeof makeOverlay>[1], runFolder, 'disk.qcow2')
    const overlay = join(runFolder, 'disk.qcow2')
    expect(await readBootText(overlay, layout.boot, 'cmdline.txt', runFolder)).toBe(
      'root=PARTUUID=00000001-02 init=/first\n'
    )
    await expect(readBootText(overlay, layout.boot, 'other.txt', runFolder)).rejects.toThrow(
      'the boot partition has no other.txt that can be read'
    )
  })
})
