import { randomBytes } from 'node:crypto'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { ImageServer } from '../../kit/image-server'
import { fetchText, openDownload } from '../../../src/images/download'
import { describeFailure, HostFailure } from '../../../src/report/errors'
import { RecordedLog } from '../recorded-log'

// Waits between attempts are five hundred times shorter; what is waited for is the same.
jest.mock('node:timers/promises', () => {
  const timers = jest.requireActual<typeof import('node:timers/promises')>('node:timers/promises')
  return { ...timers, setTimeout: (ms: number, value: unknown) => timers.setTimeout(ms / 500, value) }
})

const image = randomBytes(200_000)
let server: ImageServer
let log: RecordedLog

beforeEach(async () => {
  server = await ImageServer.start()
  log = new RecordedLog()
})
afterEach(() => server.close())

const handmades: Server[] = []
afterEach(async () => {
  for (const each of handmades.splice(0)) {
    each.closeAllConnections()
    await new Promise(resolve => each.close(resolve))
  }
})

/** A server for the one case; returns the URL of the image on it. */
async function handmade(answer: RequestListener): Promise<string> {
  const each = createServer(answer)
  handmades.push(each)
  await new Promise<void>(resolve => each.listen(0, '127.0.0.1', resolve))
  return `http://127.0.0.1:${(each.address() as AddressInfo).port}/pi.img`
}

/** All the bytes of a URL. */
async function download(url: string): Promise<Buffer> {
  const parts: Buffer[] = []
  const { chunks } = await openDownload(url, log)
  for await (const chunk of chunks) parts.push(chunk)
  return Buffer.concat(parts)
}

/** What is said when the download fails. */
const complaint = (url: string): Promise<string> =>
  download(url).then(
    bytes => `${bytes.length} bytes arrived`,
    (error: unknown) => (error instanceof HostFailure ? describeFailure(error) : `unexpected: ${String(error)}`)
  )

const ranges = (path = '/pi.img'): readonly (string | undefined)[] => server.seen(path).map(({ range }) => range)

describe('a download', () => {
  test('gives the bytes, and says beforehand how many and of which version', async () => {
    const url = server.serve('/pi.img', { body: image })
    const { size, version, close } = await openDownload(url, log)
    close()
    expect({ size, version }).toEqual({ size: 200_000, version: '"200000"' })
    expect((await download(url)).equals(image)).toBe(true)
    expect(log.entries).toEqual([])
  })

  test('may be of unknown length', async () => {
    const url = server.serve('/pi.img', { body: image, contentLength: false })
    const { size, close } = await openDownload(url, log)
    close()
    expect(size).toBeUndefined()
    expect((await download(url)).equals(image)).toBe(true)
  })

  test('follows redirects, by a whole URL or by a path', async () => {
    const real = server.serve('/real.img', { body: image })
    expect((await download(server.serve('/latest', { redirect: real }))).equals(image)).toBe(true)
    expect((await download(server.serve('/newest', { redirect: '/real.img' }))).equals(image)).toBe(true)
  })

  test('does not go round in circles', async () => {
    server.serve('/there', { redirect: '/back' })
    expect(await complaint(server.serve('/back', { redirect: '/there' }))).toMatch(/the server redirects in a circle/)
  })

  test('of nothing is nothing', async () => {
    expect(await download(server.serve('/pi.img', { body: '' }))).toHaveLength(0)
  })
})

describe('a connection that breaks', () => {
  test('is resumed where it broke', async () => {
    const url = server.serve('/pi.img', { body: image, truncate: { after: 70_000, once: true } })
    expect((await download(url)).equals(image)).toBe(true)
    expect(ranges()).toEqual([undefined, 'bytes=70000-'])
    expect(log.of('info')).toEqual([expect.stringMatching(/^Connection lost at byte 70000 \(.+\); resuming$/)])
  })

  test('again and again is resumed as long as each time some bytes come through', async () => {
    const url = server.serve('/pi.img', { body: image, truncate: { after: 28_000 } })
    expect((await download(url)).equals(image)).toBe(true)
    expect(ranges()).toHaveLength(8)
  })

  test('is resumed by a server that has only whole files: what is there already is dropped', async () => {
    const url = server.serve('/pi.img', { body: image, ranges: false, truncate: { after: 70_000, once: true } })
    expect((await download(url)).equals(image)).toBe(true)
    expect(server.seen('/pi.img').map(({ status }) => status)).toEqual([200, 200])
  })

  test('is resumed without a known length, too', async () => {
    const url = server.serve('/pi.img', { body: image, contentLength: false, truncate: { after: 70_000, once: true } })
    expect((await download(url)).equals(image)).toBe(true)
    expect(ranges()).toEqual([undefined, 'bytes=70000-'])
  })

  test('after the last byte of an unknown number is noticed to be complete', async () => {
    const url = server.serve('/pi.img', { body: image, contentLength: false, truncate: { after: 200_000, once: true } })
    expect(await complaint(url)).toBe('200000 bytes arrived')
    expect(server.seen('/pi.img').map(({ status }) => status)).toEqual([200, 416])
  })

  test('and gives no byte more is given up, with the place where it broke', async () => {
    let requests = 0
    const url = await handmade((_, response) => {
      const first = requests++ === 0
      response.writeHead(first ? 200 : 206, { 'content-length': first ? 200_000 : 199_000 })
      response.flushHeaders()
      if (first) response.write(image.subarray(0, 1000))
      setTimeout(() => response.destroy(), 20)
    })
    expect(await complaint(url)).toMatch(
      new RegExp(
        `^the download of ${url} broke 5 times at byte 1000 of 200000 \\(.+\\)\n` +
          'Cause: the file on the server is cut short, or the network is unstable\nRemedy: try again'
      )
    )
    expect(requests).toBe(6)
  })

  test('to a server without ranges that never gets further is given up, too', async () => {
    const url = server.serve('/pi.img', { body: image, ranges: false, truncate: { after: 5000 } })
    expect(await complaint(url)).toMatch(/ broke 5 times at byte 5000 of 200000 /)
  })
})

describe('a file that changes on the server meanwhile', () => {
  /** Reads the first bytes of one file, and the rest after it became another. */
  async function whileItChanges(route: Parameters<ImageServer['serve']>[1]): Promise<string> {
    const url = server.serve('/pi.img', { ...route, body: image, truncate: { after: 70_000, once: true } })
    const { chunks } = await openDownload(url, log)
    server.serve('/pi.img', { ...route, body: Buffer.concat([image, image]) })
    let length = 0
    try {
      for await (const chunk of chunks) length += chunk.length
      return `${length} bytes arrived`
    } catch (error) {
      return describeFailure(error)
    }
  }

  test('is noticed when the server sends the whole of the other one', async () => {
    expect(await whileItChanges({ ranges: false })).toBe(
      `${server.url}/pi.img changed on the server while it was downloaded\nRemedy: run again`
    )
  })

  test('is noticed when the server sends the rest of the other one, as if nothing had been', async () => {
    expect(await whileItChanges({})).toMatch(/^\S+\/pi\.img changed on the server while it was downloaded/)
  })

  test('is prevented where the server understands which version is wanted', async () => {
    const seen: (string | undefined)[] = []
    const url = await handmade((request, response) => {
      seen.push(request.headers['if-range']?.toString())
      const whole = request.headers.range === undefined
      response.writeHead(whole ? 200 : 206, {
        etag: '"v1"',
        'content-length': whole ? 200_000 : 199_900,
        ...(!whole && { 'content-range': 'bytes 100-199999/200000' })
      })
      if (!whole) response.end(image.subarray(100))
      else response.write(image.subarray(0, 100), () => setTimeout(() => response.destroy(), 20))
    })
    expect((await download(url)).equals(image)).toBe(true)
    expect(seen).toEqual([undefined, '"v1"'])
  })
})

describe('a server that answers', () => {
  test.each([500, 503, 429, 408])('%d twice, and then the file, is asked again', async status => {
    const url = server.serve('/pi.img', { body: image, failFirst: { times: 2, status } })
    expect((await download(url)).equals(image)).toBe(true)
    expect(log.of('info')).toEqual(Array(2).fill(`${url}: the server answered ${status}; trying again`))
  })

  test('500 in the middle of a download is asked again', async () => {
    const url = server.serve('/pi.img', { body: image, truncate: { after: 70_000, once: true } })
    const { chunks } = await openDownload(url, log)
    server.serve('/pi.img', { body: image, failFirst: { times: 1 } })
    const parts: Buffer[] = []
    for await (const chunk of chunks) parts.push(chunk)
    expect(Buffer.concat(parts).equals(image)).toBe(true)
  })

  test('500 for ever is given up', async () => {
    const url = server.serve('/pi.img', { status: 500 })
    expect(await complaint(url)).toMatch(
      /^the download of \S+ failed: the server answered 500\nCause: the server has a problem\n/
    )
    expect(server.seen('/pi.img')).toHaveLength(4)
  })

  test.each([
    [404, 'there is no such file'],
    [403, 'the server refuses the request']
  ])('%d is believed at once', async (status, cause) => {
    const url = server.serve('/pi.img', { status })
    expect(await complaint(url)).toBe(
      `the download of ${url} failed: the server answered ${status}\nCause: ${cause}\n` +
        'Remedy: check the URL in input `image` (in a browser, too)'
    )
    expect(server.seen('/pi.img')).toHaveLength(1)
  })
})

test('a host that cannot be reached is tried some times, and then named', async () => {
  const { url } = server
  await server.close()
  expect(await complaint(`${url}/pi.img`)).toMatch(
    /^the download of \S+ failed: .*ECONNREFUSED.*\nCause: the host cannot be reached from here/
  )
  expect(log.of('info')).toHaveLength(3)
  server = await ImageServer.start()
})

describe('a small file', () => {
  test('is its text, or nothing where there is none', async () => {
    expect(await fetchText(server.serve('/pi.img.sha256', { body: 'abc' }), log)).toBe('abc')
    expect(await fetchText(`${server.url}/none`, log)).toBeUndefined()
  })

  test('that the server cannot give just now is not taken for one that is not there', async () => {
    const url = server.serve('/pi.img.sha256', { body: 'abc', failFirst: { times: 2, status: 503 } })
    expect(await fetchText(url, log)).toBe('abc')
    server.serve('/pi.img.sha256', { status: 503 })
    await expect(fetchText(url, log)).rejects.toThrow(/the server answered 503$/)
  })
})
