import { randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BlobFolder, bytesOf } from './cache-blobs'

/** The five requests a client makes: look up and download; create, upload and finalize. */
export type CacheOperation = 'lookup' | 'download' | 'create' | 'upload' | 'finalize'

/** An HTTP status instead of the answer; or the connection stays open and nothing ever comes. */
export type CacheFault = { readonly status: number } | 'never'

/** An entry that was finalized. */
export interface CacheEntry {
  readonly key: string
  /** Hash of the paths and the compression, made by the client. */
  readonly version: string
  /** Bytes. */
  readonly size: number
}

interface StoredEntry extends CacheEntry {
  readonly id: string
  readonly finalized: boolean
}

interface RpcRequest {
  readonly key?: string
  readonly version?: string
  readonly restore_keys?: readonly string[]
}

interface Answer {
  readonly status: number
  readonly body: object
}

const ok = (body: object): Answer => ({ status: 200, body })
const refused = (status: number, code: string, msg: string): Answer => ({ status, body: { code, msg } })

const rpcPath = '/twirp/github.actions.results.api.v1.CacheService/'
const operations: Readonly<Record<string, 'create' | 'finalize' | 'lookup'>> = {
  CreateCacheEntry: 'create',
  FinalizeCacheEntryUpload: 'finalize',
  GetCacheEntryDownloadURL: 'lookup'
}

/** GitHub's Actions cache (service v2) and its blob store on 127.0.0.1, with switches for what goes wrong there. */
export class CacheServer {
  private readonly stored: StoredEntry[] = []
  private readonly faults = new Map<CacheOperation, { readonly fault: CacheFault; left: number }>()
  /** Every operation asked for, in order, as `create some-key` or `download <blob id>`. */
  readonly requests: string[] = []
  /** The token may not write, as in a pull request from a fork. */
  readOnly = false
  /** What is there is not found, as while another job is still uploading it. */
  unfinished = false

  private constructor(
    private readonly server: Server,
    private readonly blobs: BlobFolder
  ) {}

  static async start(): Promise<CacheServer> {
    const server = createServer()
    const cache = new CacheServer(server, await BlobFolder.create())
    server.on('request', (request, response) => {
      cache.answer(request, response).catch((error: unknown) => {
        response.destroy(error instanceof Error ? error : undefined)
      })
    })
    await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
    return cache
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  /** The variables by which @actions/cache finds it; give them to a job or step as `env`. */
  env(): Record<string, string> {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    return {
      ACTIONS_CACHE_SERVICE_V2: 'true',
      ACTIONS_RESULTS_URL: `${this.url}/`,
      // Shaped like the runner's token, because clients look inside.
      ACTIONS_RUNTIME_TOKEN: `${part({ alg: 'none' })}.${part({ scp: 'Actions.Results:run:job' })}.unsigned`
    }
  }

  /** Finalized entries, oldest first. */
  get entries(): readonly CacheEntry[] {
    return this.stored.filter(({ finalized }) => finalized).map(({ key, version, size }) => ({ key, version, size }))
  }

  /** Lets an operation go wrong from now on, or so many times. */
  fail(operation: CacheOperation, fault: CacheFault, times = Infinity): void {
    this.faults.set(operation, { fault, left: times })
  }

  /** Takes all faults and switches back. */
  heal(): void {
    this.faults.clear()
    this.readOnly = false
    this.unfinished = false
  }

  /** Overwrites 64 bytes in the middle of every entry whose key starts so. Returns how many there were. */
  async corrupt(keyPrefix: string): Promise<number> {
    const entries = this.stored.filter(({ key }) => key.startsWith(keyPrefix))
    for (const { id } of entries) await this.blobs.corrupt(id)
    return entries.length
  }

  /** Cuts every entry whose key starts so to half its length. Returns how many there were. */
  async shorten(keyPrefix: string): Promise<number> {
    const entries = this.stored.filter(({ key }) => key.startsWith(keyPrefix))
    for (const { id } of entries) await this.blobs.shorten(id)
    return entries.length
  }

  /** Forgets every entry, as eviction does. */
  evict(): void {
    this.stored.length = 0
  }

  async close(): Promise<void> {
    const closed = new Promise(resolve => this.server.close(resolve))
    this.server.closeAllConnections()
    await closed
    await this.blobs.remove()
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', this.url)
    const method = url.pathname.startsWith(rpcPath) ? url.pathname.slice(rpcPath.length) : undefined
    const operation = method === undefined ? undefined : operations[method]
    const blob = /^\/devstoreaccount1\/[\w-]+\/([\w-]+)$/.exec(url.pathname)?.[1]
    if (operation !== undefined) {
      const body = JSON.parse((await bytesOf(request)).toString()) as RpcRequest
      this.requests.push(`${operation} ${body.key ?? ''}`)
      if (!this.hinders(operation, response)) reply(response, await this[operation](body))
    } else if (blob !== undefined) {
      const transfer = request.method === 'PUT' ? 'upload' : 'download'
      this.requests.push(`${transfer} ${blob}`)
      if (this.hinders(transfer, response)) request.resume()
      else await this.blobs[transfer](blob, url.searchParams, request, response)
    } else {
      reply(response, refused(404, 'bad_route', url.pathname))
    }
  }

  private create({ key = '', version = '' }: RpcRequest): Answer {
    if (this.readOnly) return refused(403, 'permission_denied', 'the cache is read-only')
    const taken = this.stored.some(entry => entry.key === key && entry.version === version)
    if (taken) return refused(409, 'already_exists', 'cache entry with the same key exists')
    const id = randomUUID()
    this.stored.push({ id, key, version, size: 0, finalized: false })
    return ok({ ok: true, signed_upload_url: this.signed(id) })
  }

  private async finalize({ key, version }: RpcRequest): Promise<Answer> {
    const at = this.stored.findIndex(entry => entry.key === key && entry.version === version && !entry.finalized)
    const entry = this.stored[at]
    const size = entry && (await this.blobs.size(entry.id))
    if (entry === undefined || size === undefined) return refused(404, 'not_found', 'no such upload')
    this.stored[at] = { ...entry, size, finalized: true }
    return ok({ ok: true, entry_id: String(at + 1) })
  }

  /** The exact key; else the newest entry that the key, or the first restore key that any does, is a prefix of. */
  private lookup({ key = '', restore_keys: restoreKeys = [], version }: RpcRequest): Answer {
    const visible = this.unfinished ? [] : this.stored
    const newestFirst = visible.filter(entry => entry.finalized && entry.version === version).reverse()
    const exact = newestFirst.find(entry => entry.key === key)
    const prefixed = [key, ...restoreKeys].map(prefix => newestFirst.find(entry => entry.key.startsWith(prefix)))
    const found = exact ?? prefixed.find(entry => entry !== undefined)
    if (found === undefined) return ok({ ok: false, signed_download_url: '', matched_key: '' })
    return ok({ ok: true, signed_download_url: this.signed(found.id), matched_key: found.key })
  }

  private signed(id: string): string {
    return `${this.url}/devstoreaccount1/cache/${id}?sig=not-a-signature`
  }

  /** Whether a planned fault took the request: then it is answered, or never will be. */
  private hinders(operation: CacheOperation, response: ServerResponse): boolean {
    const planned = this.faults.get(operation)
    if (planned === undefined || planned.left <= 0) return false
    planned.left--
    if (planned.fault !== 'never') reply(response, refused(planned.fault.status, 'internal', 'fault on request'))
    return true
  }
}

function reply(response: ServerResponse, { status, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
}
