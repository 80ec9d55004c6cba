import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { basename } from 'node:path'
import { Readable, Transform, type TransformCallback } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** What a path answers. One of `file`, `body`, `redirect` or `status` says what; the rest says how badly. */
export interface Route {
  readonly file?: string
  readonly body?: string | Buffer
  /** Path on this server, or a whole URL. */
  readonly redirect?: string
  /** Answers this status with a short text, always (404, 403, …). */
  readonly status?: number
  /** Answers this many requests with a status (500 by default) before the route works. */
  readonly failFirst?: { readonly times: number; readonly status?: number; readonly retryAfter?: number }
  /** Bytes per second. */
  readonly slow?: number
  /** Closes the connection after this many bytes of body: at the first request only, or always. */
  readonly truncate?: { readonly after: number; readonly once?: boolean }
  /** Accepts the request and never answers. */
  readonly silent?: boolean
  /** Answers 200 with a web page instead (a captive portal, a login form). */
  readonly html?: boolean
  /** False: no content-length, chunked. */
  readonly contentLength?: boolean
  /** False: range requests get the whole file with 200. */
  readonly ranges?: boolean
  /** `<path>.sha256` beside it: right (default), wrong, or none (404). */
  readonly sha256?: 'right' | 'wrong' | 'none'
}

/** A request as the server saw it. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly range: string | undefined
  readonly userAgent: string | undefined
  readonly status: number
}

interface Content {
  readonly size: number
  read(start: number, end: number): Readable
  readonly tag: string
}

/** An HTTP server on 127.0.0.1 that serves images well or badly, as told, and remembers who asked for what. */
export class ImageServer {
  private readonly routes = new Map<string, Route>()
  private readonly counts = new Map<string, number>()
  readonly requests: SeenRequest[] = []

  private constructor(private readonly server: Server) {}

  static async start(): Promise<ImageServer> {
    const server = createServer()
    const images = new ImageServer(server)
    server.on('request', (request, response) => {
      images.answer(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined)
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return images
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** Serves `path` (starting with `/`) so, and its `.sha256` beside it. Returns its URL. Serving again replaces it. */
  serve(path: string, route: Route): string {
    this.routes.set(path, route)
    this.counts.delete(path)
    return this.url + path
  }

  /** Requests seen for one path. */
  seen(path: string): readonly SeenRequest[] {
    return this.requests.filter(request => request.path === path)
  }

  /** Ends all connections and the server. */
  async close(): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = new URL(request.url ?? '/', this.url).pathname
    const send = async (status: number, headers: Record<string, string | number>, body?: Readable): Promise<void> => {
      const { range, 'user-agent': userAgent } = request.headers
      this.requests.push({ method: request.method ?? '', path, range, userAgent, status })
      response.writeHead(status, headers)
      if (request.method === 'HEAD' || body === undefined) response.end()
      else await pipeline(body, response).catch(() => undefined)
    }
    const sendText = (status: number, text: string, headers: Record<string, string | number> = {}): Promise<void> =>
      send(status, { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(text), ...headers }, from(text))

    const route = this.routes.get(path)
    if (route === undefined) {
      const checksum = await this.checksum(path)
      return checksum === undefined ? sendText(404, 'Not found\n') : sendText(200, checksum)
    }
    const count = this.counts.get(path) ?? 0
    this.counts.set(path, count + 1)

    const { failFirst } = route
    if (route.silent === true) return
    if (failFirst !== undefined && count < failFirst.times) {
      const wait = failFirst.retryAfter === undefined ? {} : { 'retry-after': failFirst.retryAfter }
      return sendText(failFirst.status ?? 500, 'Try again later\n', wait)
    }
    if (route.status !== undefined) return sendText(route.status, `Status ${route.status}\n`)
    if (route.redirect !== undefined) return send(302, { location: route.redirect, 'content-length': 0 })
    if (route.html === true)
      return sendText(200, '<!DOCTYPE html><title>Login</title>\n', { 'content-type': 'text/html' })

    const content = await contentOf(route)
    const range = route.ranges === false ? undefined : request.headers.range
    const asked = range === undefined ? undefined : parseRange(range, content.size)
    if (asked === 'unsatisfiable') return sendText(416, '', { 'content-range': `bytes */${content.size}` })
    const whole = asked === undefined
    const { start, end } = asked ?? { start: 0, end: content.size - 1 }
    const body = content.read(start, end)
    await send(
      whole ? 200 : 206,
      {
        'content-type': 'application/octet-stream',
        etag: content.tag,
        ...(route.ranges !== false && { 'accept-ranges': 'bytes' }),
        ...(!whole && { 'content-range': `bytes ${start}-${end}/${content.size}` }),
        ...(route.contentLength !== false && { 'content-length': end - start + 1 })
      },
      this.hinder(body, route, count, response)
    )
  }

  private hinder(body: Readable, route: Route, count: number, response: ServerResponse): Readable {
    const { slow, truncate } = route
    const streams = []
    if (slow !== undefined) streams.push(new Throttle(slow))
    if (truncate !== undefined && (truncate.once !== true || count === 0)) {
      streams.push(new CutOff(truncate.after, response))
    }
    return streams.reduce<Readable>((stream, next) => {
      stream.once('error', error => next.destroy(error))
      next.once('close', () => stream.destroy())
      return stream.pipe(next)
    }, body)
  }

  /** The text of `<path>.sha256` in sha256sum's format, if the path before the suffix is served and has one. */
  private async checksum(path: string): Promise<string | undefined> {
    if (!path.endsWith('.sha256')) return undefined
    const target = path.slice(0, -'.sha256'.length)
    const route = this.routes.get(target)
    if (route === undefined || route.sha256 === 'none') return undefined
    if (route.file === undefined && route.body === undefined) return undefined
    if (route.sha256 === 'wrong') return `${'0'.repeat(64)}  ${basename(target)}\n`
    const hash = createHash('sha256')
    const content = await contentOf(route)
    for await (const chunk of content.read(0, content.size - 1)) hash.update(chunk as Buffer)
    return `${hash.digest('hex')}  ${basename(target)}\n`
  }
}

const from = (text: string | Buffer): Readable => Readable.from([Buffer.from(text)])

async function contentOf({ file, body }: Route): Promise<Content> {
  if (file !== undefined) {
    const { size, mtimeMs } = await stat(file)
    if (size === 0) return { size, tag: '"empty"', read: () => from('') }
    return { size, tag: `"${size}-${mtimeMs}"`, read: (start, end) => createReadStream(file, { start, end }) }
  }
  const bytes = Buffer.from(body ?? '')
  return { size: bytes.length, tag: `"${bytes.length}"`, read: (start, end) => from(bytes.subarray(start, end + 1)) }
}

/** The single byte range that a Range header asks for; undefined for forms that a server may ignore (RFC 9110, 14.2). */
function parseRange(header: string, size: number): { start: number; end: number } | 'unsatisfiable' | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header)
  if (match === null) return undefined
  const [, first = '', last = ''] = match
  if (first === '' && last === '') return undefined
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first)
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1)
  return start > end ? 'unsatisfiable' : { start, end }
}

/** Lets bytes through at a rate, in slices of a tenth of a second. */
class Throttle extends Transform {
  constructor(private readonly bytesPerSecond: number) {
    super()
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    this.trickle(chunk).then(() => {
      done()
    }, done)
  }

  private async trickle(chunk: Buffer): Promise<void> {
    const slice = Math.max(1, Math.floor(this.bytesPerSecond / 10))
    for (let at = 0; at < chunk.length && !this.destroyed; at += slice) {
      const part = chunk.subarray(at, at + slice)
      this.push(part)
      await sleep((part.length / this.bytesPerSecond) * 1000)
    }
  }
}

/** Lets so many bytes through, then cuts the connection. */
class CutOff extends Transform {
  constructor(
    private left: number,
    private readonly response: ServerResponse
  ) {
    super()
  }

  override _transform(chunk: Buffer, _: BufferEncoding, done: TransformCallback): void {
    const part = chunk.subarray(0, this.left)
    this.left -= part.length
    this.push(part)
    if (this.left > 0) done()
    else this.cut()
  }

  /** Only once these bytes are with the kernel, which delivers them yet: however slow the client is, it gets them all. */
  private cut(): void {
    const { response } = this
    const waiting = this.readableLength + response.writableLength + (response.socket?.writableLength ?? 0)
    if (waiting > 0 && !response.destroyed)
      setTimeout(() => {
        this.cut()
      }, 10)
    else setTimeout(() => response.destroy(), 50)
  }
}
