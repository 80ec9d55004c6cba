import { createHash, randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdtemp, open, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'

/** As much of Azure's blob store as cache clients use, on a folder of its own. */
export class BlobFolder {
  private constructor(private readonly folder: string) {}

  static async create(): Promise<BlobFolder> {
    return new BlobFolder(await mkdtemp(join(tmpdir(), 'pi-qemu-test-cache-')))
  }

  /** Bytes of a whole blob; undefined if there is none. */
  async size(id: string): Promise<number | undefined> {
    return stat(this.path(id)).then(
      ({ size }) => size,
      () => undefined
    )
  }

  /** Overwrites 64 bytes in the middle. */
  async corrupt(id: string): Promise<void> {
    const size = (await this.size(id)) ?? 0
    const length = Math.min(64, size)
    const file = await open(this.path(id), 'r+')
    await file.write(Buffer.alloc(length, 0x55), 0, length, Math.floor((size - length) / 2))
    await file.close()
  }

  /** Cuts it to half its length. */
  async shorten(id: string): Promise<void> {
    await truncate(this.path(id), Math.floor(((await this.size(id)) ?? 0) / 2))
  }

  /** Put Blob, Put Block and Put Block List. */
  async upload(id: string, query: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = query.get('comp')
    if (operation === 'block') {
      await pipeline(request, createWriteStream(this.block(id, query.get('blockid') ?? '')))
    } else if (operation === 'blocklist') {
      await this.join(id, (await bytesOf(request)).toString())
    } else {
      await pipeline(request, createWriteStream(this.path(id)))
    }
    const headers = { etag: `"${id}"`, 'last-modified': new Date().toUTCString(), 'x-ms-version': '2024-11-04' }
    response.writeHead(201, { ...headers, 'x-ms-request-id': randomUUID(), 'content-length': 0 }).end()
  }

  /** GET and HEAD. */
  async download(id: string, _: URLSearchParams, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const size = await this.size(id)
    if (size === undefined) {
      response.writeHead(404, { 'x-ms-error-code': 'BlobNotFound' }).end()
      return
    }
    response.writeHead(200, { 'content-length': size, 'content-type': 'application/octet-stream' })
    if (request.method === 'HEAD') response.end()
    else await pipeline(createReadStream(this.path(id)), response).catch(() => undefined)
  }

  async remove(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true })
  }

  private async join(id: string, list: string): Promise<void> {
    await writeFile(this.path(id), '')
    for (const [, name = ''] of list.matchAll(/<(?:Latest|Uncommitted|Committed)>([^<]+)</g)) {
      const block = this.block(id, name)
      await writeFile(this.path(id), await readFile(block), { flag: 'a' })
      await rm(block)
    }
  }

  private path(id: string): string {
    return join(this.folder, id)
  }

  /** Block names are base64 and may hold slashes. */
  private block(id: string, name: string): string {
    return `${this.path(id)}.${createHash('sha256').update(name).digest('hex').slice(0, 32)}`
  }
}

/** All of a request's body. */
export async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks)
}
