import { createHash } from 'node:crypto'
import { ImageServer } from '../../kit/image-server'

const image = Buffer.alloc(200_000, 'pi')
let server: ImageServer

beforeEach(async () => {
  server = await ImageServer.start()
})
afterEach(() => server.close())

const bytes = async (response: Response): Promise<Buffer> => Buffer.from(await response.arrayBuffer())
/** Jest compares buffers byte by byte, which takes seconds for these. */
const isImage = async (response: Response, from = 0): Promise<boolean> =>
  (await bytes(response)).equals(image.subarray(from))

it('serves a file of this disk, HEAD, and the checksum beside it', async () => {
  const url = server.serve('/pi.img', { file: __filename })
  const whole = await bytes(await fetch(url))
  const head = await fetch(url, { method: 'HEAD' })
  expect(head.headers.get('content-length')).toBe(String(whole.length))
  const sum = createHash('sha256').update(whole).digest('hex')
  expect(await (await fetch(`${url}.sha256`)).text()).toBe(`${sum}  pi.img\n`)
  expect(server.requests.map(({ method, status }) => `${method} ${status}`)).toEqual(['GET 200', 'HEAD 200', 'GET 200'])
})

it('serves ranges, unless told not to', async () => {
  const url = server.serve('/pi.img', { body: image })
  const part = await fetch(url, { headers: { range: 'bytes=199990-' } })
  expect([part.status, part.headers.get('content-range')]).toEqual([206, 'bytes 199990-199999/200000'])
  expect(await isImage(part, 199_990)).toBe(true)
  expect((await fetch(url, { headers: { range: 'bytes=200000-' } })).status).toBe(416)
  server.serve('/pi.img', { body: image, ranges: false })
  expect((await fetch(url, { headers: { range: 'bytes=10-' } })).status).toBe(200)
  expect(server.seen('/pi.img').map(({ range }) => range)).toEqual(['bytes=199990-', 'bytes=200000-', 'bytes=10-'])
})

it('redirects, refuses, and answers a web page where an image was asked for', async () => {
  server.serve('/real.img', { body: image })
  expect(await isImage(await fetch(server.serve('/latest', { redirect: '/real.img' })))).toBe(true)
  expect((await fetch(server.serve('/gone.img', { status: 404 }))).status).toBe(404)
  expect((await fetch(`${server.url}/unknown`)).status).toBe(404)
  expect(await (await fetch(server.serve('/portal.img', { html: true }))).text()).toMatch(/^<!DOCTYPE html>/)
})

it('fails so many times and then works', async () => {
  const url = server.serve('/pi.img', { body: image, failFirst: { times: 2, status: 503, retryAfter: 1 } })
  const statuses = []
  for (let i = 0; i < 3; i++) statuses.push((await fetch(url)).status)
  expect(statuses).toEqual([503, 503, 200])
})

it('cuts the connection once, and lets the rest be fetched', async () => {
  const url = server.serve('/pi.img', { body: image, truncate: { after: 5000, once: true } })
  const response = await fetch(url)
  expect(response.headers.get('content-length')).toBe('200000')
  let received = 0
  await expect(
    (async () => {
      for await (const chunk of response.body ?? []) received += (chunk as Buffer).length
    })()
  ).rejects.toThrow()
  expect(received).toBe(5000)
  expect(await isImage(await fetch(url, { headers: { range: 'bytes=5000-' } }), 5000)).toBe(true)
})

it('is slow, hides the length, or never answers', async () => {
  const started = Date.now()
  const response = await fetch(server.serve('/slow.img', { body: image, slow: 400_000, contentLength: false }))
  expect(response.headers.get('content-length')).toBeNull()
  expect(await isImage(response)).toBe(true)
  expect(Date.now() - started).toBeGreaterThan(400)
  const silent = fetch(server.serve('/silent.img', { silent: true }), { signal: AbortSignal.timeout(200) })
  await expect(silent).rejects.toThrow(/timeout/)
})

it('has a wrong checksum, or none', async () => {
  const wrong = server.serve('/wrong.img', { body: image, sha256: 'wrong' })
  expect(await (await fetch(`${wrong}.sha256`)).text()).toBe(`${'0'.repeat(64)}  wrong.img\n`)
  expect((await fetch(`${server.serve('/none.img', { body: image, sha256: 'none' })}.sha256`)).status).toBe(404)
})
