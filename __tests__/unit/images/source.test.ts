import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeFileSync
} from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { ImageServer, type Route } from '../../kit/image-server'
import { homeFolders, type Home } from '../../../src/host/paths'
import { fileSource, urlSource, type Source } from '../../../src/images/source'
import { describeFailure, HostFailure } from '../../../src/report/errors'
import { RecordedLog } from '../recorded-log'
import { scratchFolder } from '../scratch'

jest.mock('node:timers/promises', () => {
  const timers = jest.requireActual<typeof import('node:timers/promises')>('node:timers/promises')
  return { ...timers, setTimeout: (ms: number, value: unknown) => timers.setTimeout(ms / 500, value) }
})

const scratch = scratchFolder()

/** A small disk: a boot signature, data and zeros. */
const disk = Buffer.concat([Buffer.alloc(510), Buffer.from([0x55, 0xaa]), randomBytes(60_000), Buffer.alloc(200_000)])
const archive = gzipSync(disk)
const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex')
const wrong = '0'.repeat(64)

let home: Home
let log: RecordedLog
let server: ImageServer
beforeEach(async () => {
  home = homeFolders({ PI_QEMU_HOME: scratch.fresh() })
  log = new RecordedLog()
  server = await ImageServer.start()
})
afterEach(() => server.close())

interface Unpacked {
  readonly sha256: string
  /** Whether the disk is the one that was packed, to the last byte; what follows it does not count. */
  readonly whole: boolean
}

async function unpacked(source: Source): Promise<Unpacked> {
  const folder = scratch.fresh()
  const target = join(folder, 'disk.img')
  const sum = await source.unpackTo(target, folder)
  return { sha256: sum, whole: readFileSync(target).subarray(0, disk.length).equals(disk) }
}

/** What is said when it fails. */
const complaint = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'no complaint',
    (error: unknown) => (error instanceof HostFailure ? describeFailure(error) : `unexpected: ${String(error)}`)
  )

function file(name: string, content: Buffer | string): string {
  const path = join(scratch.fresh(), name)
  writeFileSync(path, content)
  return path
}

const fromFile = async (path: string, expected?: string): Promise<Unpacked> =>
  unpacked(await fileSource(path, expected, home, log))

describe('an image file on this host', () => {
  test.each([
    ['raw', disk],
    ['compressed', archive]
  ])('that is %s gives the disk and the checksum of the file', async (_, content) => {
    expect(await fromFile(file('pi.img', content))).toEqual({ sha256: sha256(content), whole: true })
  })

  test('is known by its bytes: a name may lie', async () => {
    expect((await fromFile(file('pi.img.xz', archive))).whole).toBe(true)
  })

  test('is known again without being read, as long as it has not changed', async () => {
    const path = file('pi.img', disk)
    expect((await fileSource(path, undefined, home, log)).sha256).toBeUndefined()
    await fromFile(path)
    expect((await fileSource(path, undefined, home, log)).sha256).toBe(sha256(disk))
    const link = join(scratch.fresh(), 'latest.img')
    symlinkSync(path, link)
    expect((await fileSource(link, undefined, home, log)).sha256).toBe(sha256(disk))
  })

  test('is not known any more once it was written to, or replaced', async () => {
    const path = file('pi.img', disk)
    await fromFile(path)
    utimesSync(path, 1_700_000_000, 1_700_000_000)
    expect((await fileSource(path, undefined, home, log)).sha256).toBeUndefined()
    await fromFile(path)
    copyFileSync(path, `${path}.new`)
    utimesSync(`${path}.new`, 1_700_000_000, 1_700_000_000)
    renameSync(`${path}.new`, path)
    expect((await fileSource(path, undefined, home, log)).sha256).toBeUndefined()
  })

  test('with the right checksum is taken', async () => {
    expect((await fromFile(file('pi.img', disk), sha256(disk))).sha256).toBe(sha256(disk))
  })

  test('with a wrong checksum is refused, the first time and when it is known', async () => {
    const path = file('pi.img', disk)
    const message = new RegExp(`^the checksum of ${path} is wrong: expected SHA-256 ${wrong}, got ${sha256(disk)}\n`)
    expect(await complaint(fromFile(path, wrong))).toMatch(message)
    await fromFile(path)
    expect(await complaint(fromFile(path, wrong))).toMatch(message)
  })

  test('that was refused is not remembered', async () => {
    await complaint(fromFile(file('pi.img', disk), wrong))
    expect(existsSync(home.sources) ? readdirSync(home.sources) : []).toEqual([])
  })

  test.each([
    ['a text', 'not a disk\n'.repeat(100)],
    ['a very short one', 'x']
  ])('%s is no image', async (_, content) => {
    expect(await complaint(fromFile(file('notes.txt', content)))).toMatch(/notes\.txt is not a disk image: /)
  })
})

describe('a qcow2', () => {
  function qcow2(...options: readonly string[]): string {
    const folder = scratch.fresh()
    writeFileSync(join(folder, 'raw'), Buffer.concat([disk, Buffer.alloc(512 - (disk.length % 512))]))
    execFileSync('qemu-img', ['convert', '-f', 'raw', '-O', 'qcow2', ...options, 'raw', 'pi.qcow2'], { cwd: folder })
    return join(folder, 'pi.qcow2')
  }

  test('gives the disk in it, and the checksum of the file', async () => {
    const path = qcow2('-c')
    const result = await fromFile(path)
    expect(result.sha256).toBe(sha256(readFileSync(path)))
    expect(result.whole).toBe(true)
  })

  test('from a server does, too', async () => {
    const url = server.serve('/pi.qcow2', { file: qcow2() })
    const result = await unpacked(await urlSource(url, undefined, home, log))
    expect(result.whole).toBe(true)
  })

  test('with a wrong checksum is refused', async () => {
    expect(await complaint(fromFile(qcow2(), wrong))).toMatch(/^the checksum of \S+ is wrong/)
  })

  test('that is only half of an image is refused: it could name any file of this host', async () => {
    const folder = scratch.fresh()
    writeFileSync(join(folder, 'secret'), Buffer.alloc(4096, 's'))
    execFileSync('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-F',
      'raw',
      '-b',
      join(folder, 'secret'),
      join(folder, 'pi.qcow2')
    ])
    expect(await complaint(fromFile(join(folder, 'pi.qcow2')))).toMatch(
      new RegExp(`pi\\.qcow2 is only half of an image: the rest is in ${join(folder, 'secret')}\n`)
    )
  })

  test('whose data lies in another file is refused for the same reason', async () => {
    const folder = scratch.fresh()
    const data = join(folder, 'data')
    execFileSync('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-o',
      `data_file=${data},data_file_raw=on`,
      join(folder, 'pi.qcow2'),
      '1M'
    ])
    expect(await complaint(fromFile(join(folder, 'pi.qcow2')))).toMatch(/is only half of an image: the rest is in /)
  })
})

describe('an image on a server', () => {
  const path = '/pi.img.gz'
  const open = (route: Route, expected?: string): Promise<Source> =>
    urlSource(server.serve(path, route), expected, home, log)

  test('is checked against the .sha256 beside it, and the log says so', async () => {
    const source = await open({ body: archive })
    expect(source.sha256).toBe(sha256(archive))
    expect(await unpacked(source)).toEqual({ sha256: sha256(archive), whole: true })
    expect(log.of('info')).toContain(`SHA-256 ${sha256(archive)} (from pi.img.gz.sha256)`)
    expect(log.of('warn')).toEqual([])
  })

  test('is not fetched before it is known to be needed', async () => {
    await open({ body: archive })
    expect(server.seen(path)).toEqual([])
  })

  test('is refused if the checksum beside it is another', async () => {
    const source = await open({ body: archive, sha256: 'wrong' })
    expect(await complaint(unpacked(source))).toMatch(
      new RegExp(`^the checksum of \\S+ is wrong: expected SHA-256 ${wrong}, got ${sha256(archive)}\n`)
    )
  })

  test('is checked against the given checksum rather than the one beside it', async () => {
    const source = await open({ body: archive, sha256: 'wrong' }, sha256(archive))
    expect((await unpacked(source)).whole).toBe(true)
    expect(server.seen(`${path}.sha256`)).toEqual([])
    expect(log.of('info')).toContain(`SHA-256 ${sha256(archive)} (as given)`)
  })

  test('without any checksum is taken with a warning', async () => {
    const source = await open({ body: archive, sha256: 'none' })
    expect((await unpacked(source)).whole).toBe(true)
    expect(log.of('warn')).toEqual([expect.stringMatching(/\/pi\.img\.gz is not verified: no image-sha256 was given/)])
  })

  test('without a checksum is known again by its version, and fetched again when that changes', async () => {
    await unpacked(await open({ body: archive, sha256: 'none' }))
    const again = await open({ body: archive, sha256: 'none' })
    again.close?.()
    expect(again.sha256).toBe(sha256(archive))
    const changed = await open({ body: Buffer.concat([archive, archive]), sha256: 'none' })
    changed.close?.()
    expect(changed.sha256).toBeUndefined()
  })

  test('keeps its query when the checksum beside it is asked for', async () => {
    const url = `${server.serve(path, { body: archive })}?token=1`
    expect((await urlSource(url, undefined, home, log)).sha256).toBe(sha256(archive))
  })

  test('whose connection breaks is resumed, and whole in the end', async () => {
    const source = await open({ body: archive, truncate: { after: 20_000, once: true } })
    expect((await unpacked(source)).whole).toBe(true)
  })

  test('that is a web page is said to be one', async () => {
    expect(await complaint(open({ html: true }).then(unpacked))).toMatch(
      /\/pi\.img\.gz is a web page, not a disk image \(it starts with "<!DOCTYPE html>.*\nCause: the URL leads to a page/
    )
  })

  test('that is not there is said not to be', async () => {
    expect(await complaint(open({ status: 404 }).then(unpacked))).toMatch(
      /the server answered 404\nCause: there is no such file/
    )
  })

  test('that was cut short before it got to the server is damaged', async () => {
    const source = await open({ body: archive.subarray(0, 30_000), sha256: 'none' })
    expect(await complaint(unpacked(source))).toMatch(
      /cannot be unpacked: gzip .*\n[\s\S]*Cause: the file is damaged or cut short/
    )
  })
})

test('the folder of what is known is made when it is needed', async () => {
  mkdirSync(home.root, { recursive: true })
  await fromFile(file('pi.img', disk))
  expect(readdirSync(home.sources)).toHaveLength(1)
})
