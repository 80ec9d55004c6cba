import { CacheServer } from '../../kit/cache-server'

let cache: CacheServer

beforeEach(async () => {
  cache = await CacheServer.start()
})
afterEach(() => cache.close())

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

async function call(method: string, request: object): Promise<Answer> {
  const url = `${cache.url}/twirp/github.actions.results.api.v1.CacheService/${method}`
  const response = await fetch(url, { method: 'POST', body: JSON.stringify(request), signal: AbortSignal.timeout(300) })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}
const lookUp = (key: string, restoreKeys: readonly string[] = [], version = 'v'): Promise<Answer> =>
  call('GetCacheEntryDownloadURL', { key, version, restore_keys: restoreKeys })

async function save(key: string, content: string, version = 'v'): Promise<number> {
  const { status, body } = await call('CreateCacheEntry', { key, version })
  if (status !== 200) return status
  const url = String(body['signed_upload_url'])
  const half = Math.floor(content.length / 2)
  await fetch(`${url}&comp=block&blockid=Zmlyc3Q%3D`, { method: 'PUT', body: content.slice(0, half) })
  await fetch(`${url}&comp=block&blockid=L3NlYy8%3D`, { method: 'PUT', body: content.slice(half) })
  const list = '<BlockList><Latest>Zmlyc3Q=</Latest><Latest>L3NlYy8=</Latest></BlockList>'
  await fetch(`${url}&comp=blocklist`, { method: 'PUT', body: list })
  return (await call('FinalizeCacheEntryUpload', { key, version, size_bytes: String(content.length) })).status
}
async function load(key: string, restoreKeys: readonly string[] = []): Promise<string> {
  const { body } = await lookUp(key, restoreKeys)
  return (await fetch(String(body['signed_download_url']))).text()
}

it('keeps what was saved in blocks, under key and version', async () => {
  expect(await save('image-1', 'the whole image')).toBe(200)
  expect(await load('image-1')).toBe('the whole image')
  expect((await lookUp('image-1', [], 'other')).body['ok']).toBe(false)
  expect(cache.entries).toEqual([{ key: 'image-1', version: 'v', size: 15 }])
})

it('keeps a blob that came in one piece', async () => {
  const { body } = await call('CreateCacheEntry', { key: 'small', version: 'v' })
  const put = await fetch(String(body['signed_upload_url']), { method: 'PUT', body: 'tiny' })
  expect(put.status).toBe(201)
  expect((await lookUp('small')).body['ok']).toBe(false)
  await call('FinalizeCacheEntryUpload', { key: 'small', version: 'v' })
  expect(await load('small')).toBe('tiny')
})

it('finds the newest entry of the first restore key that matches', async () => {
  for (const key of ['image-a-1', 'image-a-2', 'image-b-1']) await save(key, `content of ${key}`)
  expect((await lookUp('image-c-9', ['image-a-', 'image-'])).body['matched_key']).toBe('image-a-2')
  expect(await load('image-c-9', ['nothing-', 'image-'])).toBe('content of image-b-1')
  cache.evict()
  expect((await lookUp('image-a-1')).body['ok']).toBe(false)
})

it('refuses a key that is taken, and all writes when read-only', async () => {
  await save('image-1', 'first')
  expect(await save('image-1', 'second')).toBe(409)
  cache.readOnly = true
  expect(await save('image-2', 'third')).toBe(403)
  expect(await load('image-1')).toBe('first')
})

it('fails as told: with a status, so many times, or by silence', async () => {
  cache.fail('create', { status: 500 })
  cache.fail('lookup', { status: 403 }, 1)
  expect(await save('image-1', 'x')).toBe(500)
  expect((await lookUp('image-1')).status).toBe(403)
  expect((await lookUp('image-1')).status).toBe(200)
  cache.fail('lookup', 'never')
  await expect(lookUp('image-1')).rejects.toThrow(/timeout/)
  cache.heal()
  expect(await save('image-1', 'x')).toBe(200)
})

it('corrupts and shortens entries', async () => {
  await save('image-1', 'a'.repeat(1000))
  expect(await cache.corrupt('image-')).toBe(1)
  expect(await load('image-1')).toMatch(/^a+U{64}a+$/)
  await cache.shorten('image-1')
  expect(await load('image-1')).toHaveLength(500)
})

it('is found by its variables', () => {
  expect(cache.env()).toMatchObject({ ACTIONS_CACHE_SERVICE_V2: 'true', ACTIONS_RESULTS_URL: `${cache.url}/` })
  expect(cache.env()['ACTIONS_RUNTIME_TOKEN']?.split('.')).toHaveLength(3)
})
