import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { HttpClient } from '@actions/http-client'
import { HostFailure, messageOf } from '../report/errors'
import type { Log } from '../report/log'

/** Silence on the line for longer than this (ms) counts as a broken connection. */
const stallTimeout = 30_000
/** Breaks in a row without a byte in between before we give up. */
const maxBreaks = 5

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
  new HttpClient('pi-qemu-action', undefined, { socketTimeout: stallTimeout, allowRedirects: true, maxRedirects: 10 })

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

/** The text of a small file, or undefined if the server has no such file. */
export async function fetchText(url: string): Promise<string | undefined> {
  const http = client()
  try {
    const response = await http.get(url)
    const text = await response.readBody()
    return response.message.statusCode === 200 ? text : undefined
  } catch (error) {
    throw unreachable(url, error)
  } finally {
    http.dispose()
  }
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

/** A response that starts at byte `from`; passing troubles of the server are tried again. */
async function request(url: string, from: number, version: string | undefined, log: Log): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    let status: number
    let message: IncomingMessage
    try {
      const range = from === 0 ? {} : { range: `bytes=${from}-`, ...(version !== undefined && { 'if-range': version }) }
      message = (await client().get(url, { 'accept-encoding': 'identity', ...range })).message
      status = message.statusCode ?? 0
    } catch (error) {
      if (attempt > 3) throw unreachable(url, error)
      log.info(`${url}: ${messageOf(error)}; trying again`)
      await sleep(500 * attempt)
      continue
    }
    if (status === (from === 0 ? 200 : 206)) return received(message, 0)
    // The server cannot resume, or has another file by now: read from the start and drop what we have, if it is the same.
    if (from > 0 && status === 200 && (version === undefined || versionOf(message) === version))
      return received(message, from)
    message.destroy()
    if (from > 0 && status === 200) {
      throw new HostFailure({ symptom: `${url} changed on the server while it was downloaded`, remedy: 'run again' })
    }
    if ((status >= 500 || status === 429 || status === 408) && attempt <= 3) {
      log.info(`${url}: the server answered ${status}; trying again`)
      await sleep(500 * attempt)
      continue
    }
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
      remedy: 'check the URL in input `image`; behind a proxy set HTTPS_PROXY'
    },
    { cause: error }
  )
}
