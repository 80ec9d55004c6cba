import { chmodSync, chownSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { QemuInstall } from '../../../src/qemu'
import { sharingQemu } from '../../../src/workspace'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const own = process.getuid?.() ?? 0

/** A program that answers `-device help` as a QEMU would. */
function qemu(devices: string): QemuInstall {
  const program = join(scratch.fresh(), 'qemu')
  writeFileSync(program, `#!/bin/sh\n[ "$*" = '-L x -device help' ] && echo '${devices}'\n`)
  chmodSync(program, 0o755)
  return { program, arguments: ['-L', 'x'], env: {}, origin: 'path', version: '9.9.0', build: undefined }
}
const able = 'name "virtio-9p-pci", bus PCI, alias "virtio-9p"'

test('a QEMU without 9p is told before the boot', async () => {
  const request = { workspace: '/', user: { name: 'root', uid: own, gid: 0 }, log: new RecordedLog() }
  await expect(sharingQemu({ ...request, install: qemu('name "virtio-blk-pci"') })).rejects.toThrow(
    /QEMU \(9\.9\.0\) cannot share a folder: it was built without virtio-9p-pci/
  )
})

test('a guest user with the same number needs nothing more', async () => {
  const install = qemu(able)
  const log = new RecordedLog()
  const user = { name: 'x', uid: own, gid: 5 }
  expect(await sharingQemu({ install, workspace: scratch.fresh(), user, log })).toBe(install)
  expect(log.entries).toEqual([])
})

test('for another, QEMU runs in a user namespace; or there is a warning', async () => {
  const install = qemu(able)
  const log = new RecordedLog()
  const user = { name: 'pi', uid: 4321, gid: 4322 }
  const { program, arguments: args } = await sharingQemu({ install, workspace: scratch.fresh(), user, log })
  if (log.entries.length > 0) {
    // A host that allows no user namespaces.
    expect([program, log.of('warn')]).toEqual([install.program, [expect.stringContaining('may not be able to write')]])
    return
  }
  expect([program, args]).toEqual([
    'unshare',
    ['--user', '--map-user=4321', '--map-group=4322', '--', install.program, '-L', 'x']
  ])
})

test("root shares somebody else's folder as it is, with a warning", async () => {
  const install = qemu(able)
  const log = new RecordedLog()
  const workspace = scratch.fresh()
  // What anybody but root made is somebody else's to root.
  if (own === 0) chownSync(workspace, 4000, 4000)
  const user = { name: 'pi', uid: 1000, gid: 1000 }
  expect(await sharingQemu({ install, workspace, user, own: 0, log })).toBe(install)
  expect(log.of('warn')).toEqual([expect.stringContaining('pi (1000) may not be able to write them; use `user: root`')])
})
