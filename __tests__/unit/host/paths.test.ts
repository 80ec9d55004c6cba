import { homedir } from 'node:os'
import { join } from 'node:path'
import { homeFolders } from '../../../src/host/paths'

test('everything lives in PI_QEMU_HOME', () => {
  expect(homeFolders({ PI_QEMU_HOME: '/big/disk/' })).toEqual({
    root: '/big/disk',
    runs: '/big/disk/runs',
    logs: '/big/disk/logs',
    images: '/big/disk/images',
    snapshots: '/big/disk/snapshots',
    kernels: '/big/disk/kernels',
    exchange: '/big/disk/exchange',
    sources: '/big/disk/sources',
    tools: '/big/disk/tools',
    emulators: '/big/disk/emulators',
    sysroots: '/big/disk/sysroots'
  })
})

test.each([{}, { PI_QEMU_HOME: '' }])("without it, in the user's cache (%j)", env => {
  expect(homeFolders(env).root).toBe(join(homedir(), '.cache/pi-qemu'))
})

test('a relative one starts where we are', () => {
  expect(homeFolders({ PI_QEMU_HOME: 'here' }).root).toBe(join(process.cwd(), 'here'))
})
