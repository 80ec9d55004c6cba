import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpClient } from '@actions/http-client'
import { HostFailure, messageOf } from '../report/errors'
import type { Log } from '../report/log'

/** Silence on the line for longer than this (ms) counts as a broken connection. */
const stallTimeout = 30_000
/** Breaks in a row without a byte in between before we give up. */
const maxBreaks = 5

/** Further attempts at a request that met a passing trouble. */
const maxRetries = 3

/** Bytes; the official catalogue has less than half a MiB. What is larger is not read into memory. */
const maxTextSize = 32 * 1_048_576

export interface Download {
  /** Bytes of the whole file, if the server says. */
  readonly size: number | undefined
  /** Changes when the file does (ETag, or modification time), if the server says. */
  readonly version: string | undefined
  /** The file's bytes, once, in order; broken connections are resumed where they broke. */
  readonly chunks: AsyncIterable<Buffer>
  readonly close: () => void
}

interface Response {
  readonly headers: IncomingHttpHeaders
  readonly chunks: AsyncIterable<Buffer>
  /** Whether the message was received to its end. */
  readonly complete: () => boolean
  readonly close: () => void
}

const versionOf = ({ headers }: { readonly headers: IncomingHttpHeaders }): string | undefined =>
  headers.etag ?? headers['last-modified']

const client = (): HttpClient =>
  new HttpClient('pi-qemu-action', undefined, { socketTimeout: stallTimeout, allowRedirects: false })

/** Opens a URL for reading. Proxies are taken from the environment, as everywhere in the toolkit. */
export async function openDownload(url: string, log: Log): Promise<Download> {
  const response = await request(url, 0, undefined, log)
  const size = Number(response.headers['content-length'] ?? Number.NaN)
  const version = versionOf(response)
  return {
    size: Number.isFinite(size) ? size : undefined,
    version,
    close: response.close,
    chunks: resume(url, response, Number.isFinite(size) ? size : undefined, version, log)
  }
}

/**
 * The text of a small file, or undefined if the server has no such file.
 * @throws HostFailure if that cannot be told, or the file is not small
 */
export async function fetchText(url: string, log: Log): Promise<string | undefined> {
  for (let attempt = 1; ; attempt++) {
    const message = await answered(url, {}, log)
    const status = message.statusCode ?? 0
    try {
      const text = await textOf(message, url)
      // A file that cannot be had just now is not a file that is not there: what it says would go unheard.
      if (status >= 500 || status === 429) throw unreachable(url, new Error(`the server answered ${status}`))
      return status === 200 ? text : undefined
    } catch (error) {
      if (error instanceof HostFailure) throw error
      if (attempt > maxRetries) throw unreachable(url, error)
      log.info(`${url}: ${messageOf(error)}; trying again`)
      await sleep(500 * attempt)
    }
  }
}

async function textOf(message: IncomingMessage, url: string): Promise<string> {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > maxTextSize) {
      message.destroy()
      throw new HostFailure({
        symptom: `${url} has more than ${maxTextSize / 1_048_576} MiB, which no list and no checksum has`,
        remedy: 'check the address; an image is given as `image`'
      })
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

async function* resume(
  url: string,
  first: Response,
  size: number | undefined,
  version: string | undefined,
  log: Log
): AsyncGenerator<Buffer> {
  let response = first
  let done = 0
  let breaks = 0
  for (;;) {
    let reason = 'the connection ended early'
    try {
      for await (const chunk of response.chunks) {
        done += chunk.length
        breaks = 0
        yield chunk
      }
      // Without a length, a clean end is the only sign; what is missing shows in the checksum or the archive.
      if (size === undefined ? response.complete() : done >= size) return
    } catch (error) {
      reason = messageOf(error)
    }
    if (++breaks > maxBreaks) {
      throw new HostFailure({
        symptom: `the download of ${url} broke ${maxBreaks} times at byte ${done}${size === undefined ? '' : ` of ${size}`} (${reason})`,
        cause: 'the file on the server is cut short, or the network is unstable',
        remedy: 'try again, or download the image yourself and give the file as `image`'
      })
    }
    log.info(`Connection lost at byte ${done} (${reason}); resuming`)
    await sleep(250 * 2 ** (breaks - 1))
    response = await request(url, done, version, log)
  }
}

/** A response that starts at byte `from` of the same file. */
async function request(url: string, from: number, version: string | undefined, log: Log): Promise<Response> {
  const range = from === 0 ? {} : { range: `bytes=${from}-`, ...(version !== undefined && { 'if-range': version }) }
  const message = await answered(url, range, log)
  const status = message.statusCode ?? 0
  // A server may not know If-Range; the rest of another file would come as if nothing had been.
  const sameFile = version === undefined || versionOf(message) === undefined || versionOf(message) === version
  if (status === (from === 0 ? 200 : 206) && sameFile) return received(message, 0)
  // It cannot resume: read from the start and drop what we have.
  if (from > 0 && status === 200 && sameFile) return received(message, from)
  // Nothing is left to send: of a file without a stated length, that is how its end shows.
  if (from > 0 && status === 416) return received(message, Infinity)
  message.destroy()
  if (!sameFile)
    throw new HostFailure({ symptom: `${url} changed on the server while it was downloaded`, remedy: 'run again' })
  throw new HostFailure({
    symptom: `the download of ${url} failed: the server answered ${status}`,
    cause:
      status === 404
        ? 'there is no such file'
        : status >= 500
          ? 'the server has a problem'
          : 'the server refuses the request',
    remedy: 'check the URL in input `image` (in a browser, too)'
  })
}

/** The server's answer, whatever it is; passing troubles (no connection, 5xx, too many requests) are tried again. */
async function answered(url: string, headers: Readonly<Record<string, string>>, log: Log): Promise<IncomingMessage> {
  for (let attempt = 1; ; attempt++) {
    let trouble: string
    try {
      const message = await get(url, headers)
      const status = message.statusCode ?? 0
      if ((status < 500 && ![408, 429].includes(status)) || attempt > maxRetries) return message
      message.resume()
      trouble = `the server answered ${status}`
    } catch (error) {
      if (attempt > maxRetries) throw unreachable(url, error)
      trouble = messageOf(error)
    }
    log.info(`${url}: ${trouble}; trying again`)
    await sleep(500 * attempt)
  }
}

/** A GET that follows redirects, relative ones too. */
async function get(url: string, headers: Readonly<Record<string, string>>): Promise<IncomingMessage> {
  let address = url
  for (let hops = 0; hops < 10; hops++) {
    const { message } = await client().get(address, { 'accept-encoding': 'identity', ...headers })
    const { location } = message.headers
    if (location === undefined || ![301, 302, 303, 307, 308].includes(message.statusCode ?? 0)) return message
    message.resume()
    const next = new URL(location, address)
    if (next.protocol !== 'https:' && new URL(address).protocol === 'https:')
      throw new Error(`the server redirects to an unprotected address, ${next.href}`)
    address = next.href
  }
  throw new Error('the server redirects in a circle')
}

function received(message: IncomingMessage, from: number): Response {
  return {
    headers: message.headers,
    chunks: from === 0 ? message : skip(message, from),
    complete: () => message.complete,
    close: () => {
      message.destroy()
    }
  }
}

async function* skip(chunks: AsyncIterable<Buffer>, count: number): AsyncGenerator<Buffer> {
  let left = count
  for await (const chunk of chunks) {
    if (chunk.length > left) yield chunk.subarray(left)
    left = Math.max(0, left - chunk.length)
  }
}

function unreachable(url: string, error: unknown): HostFailure {
  return new HostFailure(
    {
      symptom: `the download of ${url} failed: ${messageOf(error)}`,
      cause: 'the host cannot be reached from here (name, network, proxy or firewall)',
      remedy: 'check the URL in input `image`; behind a proxy set HTTPS_PROXY',
      see: 'host-no-names'
    },
    { cause: error }
  )
}
