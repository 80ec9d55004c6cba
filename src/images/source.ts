import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readFile, realpath, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { tool } from '../host/exec'
import type { Home } from '../host/paths'
import { HostFailure } from '../report/errors'
import { byteProgress, mib, type Log } from '../report/log'
import { fetchText, openDownload, type Download } from './download'
import { requireSpace } from './space'
import { touched } from './store'
import { checkSum, detectFormat, diskFull, headBytes, notAnImage, unpack } from './unpack'

/** An image file somewhere: what can be known of it before it is read, and how to read it. */
export interface Source {
  /** What to call it in messages. */
  readonly name: string
  /** Its SHA-256, if that is known beforehand: given, published beside it, or remembered from an earlier run. */
  readonly sha256: string | undefined
  /** Writes the disk in it to a raw image; returns the SHA-256 of the file as it was. */
  unpackTo(target: string, scratch: string): Promise<string>
  /** Ends a connection that turned out not to be needed. */
  readonly close?: () => void
}

/** An image file on this host. */
export async function fileSource(path: string, expected: string | undefined, home: Home, log: Log): Promise<Source> {
  const real = await realpath(path)
  const { size, mtimeNs, ino } = await stat(real, { bigint: true })
  const identity = `file ${real} ${size} ${mtimeNs} ${ino}`
  const known = await recall(home, identity)
  if (known !== undefined && expected !== undefined) checkSum(path, expected, known)
  return {
    name: path,
    sha256: known,
    async unpackTo(target, scratch) {
      const progress = byteProgress(log, `Unpacking ${basename(path)}`, Number(size))
      const chunks = counted(createReadStream(real, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>, progress)
      const sha256 = await unpackAny({
        ...{ chunks, name: path, size: Number(size), expected, target, scratch },
        qcow2: real
      })
      progress.end()
      await remember(home, identity, sha256)
      return sha256
    }
  }
}

/** An image on a web server. Verified against `expected`, else against `<url>.sha256` if the server has it. */
export async function urlSource(url: string, expected: string | undefined, home: Home, log: Log): Promise<Source> {
  const published = expected ?? (await publishedSum(url, log))
  if (published === undefined)
    log.warn(`${url} is not verified: no image-sha256 was given, and the server has no .sha256 file beside it`)
  else
    log.info(
      `SHA-256 ${published} (${expected === undefined ? `from ${basename(new URL(url).pathname)}.sha256` : 'as given'})`
    )
  const fetch = (target: string, scratch: string, opened?: Download): Promise<string> =>
    download({ url, opened, expected: published, target, scratch, log })
  if (published !== undefined)
    return { name: url, sha256: published, unpackTo: (target, scratch) => fetch(target, scratch) }

  const opened = await openDownload(url, log)
  const identity = opened.version === undefined ? undefined : `url ${url} ${opened.version} ${opened.size ?? ''}`
  const known = identity === undefined ? undefined : await recall(home, identity)
  return {
    name: url,
    sha256: known,
    close: opened.close,
    async unpackTo(target, scratch) {
      const sha256 = await fetch(target, scratch, opened)
      if (identity !== undefined) await remember(home, identity, sha256)
      return sha256
    }
  }
}

interface DownloadRequest {
  readonly url: string
  /** The connection, if there is one already. */
  readonly opened?: Download | undefined
  /** SHA-256 that the file must have. */
  readonly expected: string | undefined
  readonly target: string
  readonly scratch: string
  readonly log: Log
}

/** Downloads an image and writes the disk in it to `target`; returns the SHA-256 of the file as it came. */
export async function download(request: DownloadRequest): Promise<string> {
  const { url, expected, target, scratch, log } = request
  const { size, chunks } = request.opened ?? (await openDownload(url, log))
  log.info(`Downloading ${url}${size === undefined ? '' : ` (${mib(size)})`}`)
  const progress = byteProgress(log, 'Downloading', size)
  const sha256 = await unpackAny({
    ...{ chunks: counted(chunks, progress), name: url, size, expected, target, scratch },
    qcow2: undefined
  })
  progress.end()
  return sha256
}

/**
 * The checksum in `<url>.sha256`, in the form of sha256sum; undefined if the server has no such file.
 * @throws HostFailure if that cannot be told
 */
export async function publishedSum(url: string, log: Log): Promise<string | undefined> {
  const address = new URL(url)
  address.pathname += '.sha256'
  const text = await fetchText(address.href, log)
  return /^([0-9a-f]{64})\b/im.exec(text ?? '')?.[1]?.toLowerCase()
}

interface AnyRequest {
  readonly chunks: AsyncIterable<Buffer>
  readonly name: string
  /** Bytes of the file, if they are known. */
  readonly size: number | undefined
  readonly expected: string | undefined
  readonly target: string
  readonly scratch: string
  /** The file itself if it is on this host: a qcow2 is read at random. */
  readonly qcow2: string | undefined
}

async function unpackAny({ chunks, name, size, expected, target, scratch, qcow2 }: AnyRequest): Promise<string> {
  const { head, all } = await peek(chunks, headBytes)
  const format = detectFormat(head)
  if (format === undefined) throw notAnImage(name, head)
  // Unpacked, it takes at least as much; of a raw one, what is zeros takes nothing.
  if (size !== undefined && format !== 'raw') await requireSpace(scratch, size, name)
  if (format !== 'qcow2') return (await unpack({ chunks: all, format, target, name, expected })).sha256

  const hash = createHash('sha256')
  const local = qcow2 ?? join(scratch, 'download.qcow2')
  const hashed = tee(all, hash)
  try {
    if (qcow2 === undefined) await pipeline(hashed, createWriteStream(local))
    else
      await pipeline(
        hashed,
        new Writable({
          write: (_chunk, _encoding, next) => {
            next()
          }
        })
      )
  } catch (error) {
    throw diskFull(error) ?? error
  }
  const sha256 = hash.digest('hex')
  if (expected !== undefined) checkSum(name, expected, sha256)
  const info = JSON.parse(await tool('qemu-img', ['info', '--output=json', '-f', 'qcow2', local])) as {
    'backing-filename'?: string
    'format-specific'?: { data?: { 'data-file'?: string } }
  }
  // An image from elsewhere could name any file of this host here.
  const outside = info['backing-filename'] ?? info['format-specific']?.data?.['data-file']
  if (outside !== undefined) {
    throw new HostFailure({
      symptom: `${name} is only half of an image: the rest is in ${outside}`,
      remedy: `make it whole with: qemu-img convert -O qcow2 ${basename(name)} whole.qcow2`
    })
  }
  await tool('qemu-img', ['convert', '-f', 'qcow2', '-O', 'raw', '-S', '4k', local, target])
  return sha256
}

/** The first bytes of a stream, and the whole of it. */
async function peek(
  chunks: AsyncIterable<Buffer>,
  bytes: number
): Promise<{ head: Buffer; all: AsyncIterable<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first: Buffer[] = []
  for (let length = 0; length < bytes;) {
    const next = await iterator.next()
    if (next.done === true) break
    first.push(next.value)
    length += next.value.length
  }
  async function* all(): AsyncGenerator<Buffer> {
    yield* first
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  return { head: Buffer.concat(first), all: all() }
}

async function* counted(
  chunks: AsyncIterable<Buffer>,
  progress: ReturnType<typeof byteProgress>
): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    progress.add(chunk.length)
    yield chunk
  }
}

async function* tee(chunks: AsyncIterable<Buffer>, hash: ReturnType<typeof createHash>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) {
    hash.update(chunk)
    yield chunk
  }
}

const memo = (home: Home, identity: string): string =>
  join(home.sources, createHash('sha256').update(identity).digest('hex'))

async function recall(home: Home, identity: string): Promise<string | undefined> {
  const text = await readFile(memo(home, identity), 'utf8').catch(() => '')
  if (text !== '') await touched(memo(home, identity))
  return /^[0-9a-f]{64}$/.exec(text)?.[0]
}

async function remember(home: Home, identity: string, sha256: string): Promise<void> {
  await mkdir(home.sources, { recursive: true })
  await writeFile(memo(home, identity), sha256)
}
