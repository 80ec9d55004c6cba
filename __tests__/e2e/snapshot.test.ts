import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CacheServer } from '../kit/cache-server'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import type { StepResult } from '../kit/running-step'

jest.setTimeout(300_000)

/** A server on the host that the guest tells its time. */
let clock: Server
const differences: number[] = []
let cache: CacheServer
let scratch: string

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-snapshot-'))
  cache = await CacheServer.start()
  clock = createServer((request, response) => {
    differences.push(Math.abs(Date.now() / 1000 - Number(request.url?.slice(1))))
    response.end('heard\n')
  })
  await new Promise<void>(resolve => clock.listen(0, '127.0.0.1', resolve))
})
afterAll(async () => {
  clock.close()
  await cache.close()
  await rm(scratch, { recursive: true, force: true })
})

const home = (): string => join(scratch, 'home')

/** What the guest says of itself: its time (to the server on the host), random numbers, a name from DNS. */
const script = (): string => `
wget -q -O - "http://10.0.2.2:${(clock.address() as AddressInfo).port}/$(date +%s)"
echo "random: $(head -c 16 /dev/urandom | md5sum)"
echo "kernel: $(cat /proc/sys/kernel/random/uuid)"
nslookup deb.debian.org >/dev/null && echo "name found"
echo "host key: $(md5sum < /etc/pi-qemu/dropbear_host_key)"
cat from-host; echo "from guest" > from-guest
ps | grep -q '[p]i-qemu/agent' || echo "no agent"`

async function step(inputs: Readonly<Record<string, string>> = {}, env: Readonly<Record<string, string>> = {}) {
  const job = await RunnerJob.create({ home: home(), env })
  try {
    await writeFile(join(job.workspace, 'from-host'), 'from host\n')
    const one = job.step({ board: 'virt', run: script(), env: 'TOKEN=hush-hush-4711', ...inputs })
    const result = await one.main()
    const key = await readFile(result.outputs['ssh-key'] ?? '', 'utf8').catch(() => '')
    await one.post()
    const back = await readFile(join(job.workspace, 'from-guest'), 'utf8').catch(() => '')
    return { ...result, key, back }
  } finally {
    expect(await job.dispose()).toEqual([])
  }
}

const said = ({ stdout }: StepResult, what: string): string =>
  new RegExp(`^${what}: (.*)$`, 'm').exec(stdout)?.[1] ?? ''
const warnings = ({ commands }: StepResult): readonly string[] =>
  commands.filter(({ name }) => name === 'warning').map(({ message }) => message)
const memory = async (): Promise<string> => {
  const [key = ''] = await readdir(join(home(), 'snapshots'))
  return join(home(), 'snapshots', key, 'memory')
}

test('a booted Pi is continued in later runs, each with keys, time, random numbers and workspace of its own', async () => {
  const cold = await step()
  expect([cold.code, cold.outputs['cache-hit']]).toEqual([0, 'none'])
  expect(await stat(await memory())).toBeDefined()

  const first = await step()
  const second = await step()
  for (const warm of [first, second]) {
    expect([warm.code, warm.outputs['cache-hit'], warnings(warm)]).toEqual([0, 'snapshot', []])
    expect(warm.stdout).toContain('heard\n')
    expect(warm.stdout).toContain('name found\n')
    expect(warm.stdout).toContain('from host\n')
    expect(warm.stdout).toContain('no agent\n')
    expect(warm.back).toBe('from guest\n')
  }
  for (const what of ['random', 'kernel', 'host key'])
    expect(new Set([cold, first, second].map(result => said(result, what))).size).toBe(3)
  expect(differences).toHaveLength(3)
  for (const difference of differences) expect(difference).toBeLessThan(2)

  const secrets = ['BEGIN OPENSSH PRIVATE KEY', 'ssh-ed25519 AAAA', 'hush-hush-4711']
  const places = ['images', 'snapshots'].map(name => join(home(), name))
  expect(await run('grep', ['-rlaE', secrets.join('|'), ...places], { tolerate: true })).toBe('')
})

test('another machine is not continued from it, and snapshot: off boots', async () => {
  const smaller = await step({ memory: '512', cpus: '1', run: 'nproc; grep MemTotal /proc/meminfo' })
  expect([smaller.code, smaller.outputs['cache-hit']]).toEqual([0, 'prepared'])
  expect(smaller.stdout).toMatch(/^1\nMemTotal: +[45]\d{5} kB/m)
  await run('sh', ['-c', 'rm -rf "$1"/*', 'sh', join(home(), 'snapshots')])
  const off = await step({ snapshot: 'off', run: 'true' })
  expect([off.code, off.outputs['cache-hit'], await readdir(join(home(), 'snapshots'))]).toEqual([0, 'prepared', []])
  expect(off.log).toContain('snapshot: off')
})

test('one that is cut off is made again; one that is garbage costs a warning and a boot, never the run', async () => {
  await step({ run: 'true' })
  await truncate(await memory(), 1_000_000)
  const cutOff = await step({ run: 'true' })
  expect([cutOff.code, cutOff.outputs['cache-hit'], warnings(cutOff)]).toEqual([0, 'prepared', []])
  await run('dd', [
    'if=/dev/urandom',
    `of=${await memory()}`,
    'bs=1M',
    'count=40',
    'seek=1',
    'conv=notrunc',
    'status=none'
  ])
  const garbage = await step({ run: 'echo ran' })
  expect([garbage.code, garbage.outputs['cache-hit'], garbage.outputs['outcome']]).toEqual([0, 'prepared', 'success'])
  expect(warnings(garbage)).toEqual([expect.stringContaining('could not be continued')])
  expect(garbage.stdout).toContain('ran\n')
})

test('a job on another machine continues what this one saved in the Actions cache', async () => {
  const onNewMachine = async (): Promise<Awaited<ReturnType<typeof step>>> => {
    await rm(home(), { recursive: true, force: true })
    return step({}, cache.env())
  }
  const cold = await onNewMachine()
  expect([cold.code, cold.outputs['cache-hit'], warnings(cold)]).toEqual([0, 'none', []])
  const warm = await onNewMachine()
  expect([warm.code, warm.outputs['cache-hit'], warnings(warm)]).toEqual([0, 'snapshot', []])
  expect(said(warm, 'random')).not.toBe(said(cold, 'random'))
  expect(warm.back).toBe('from guest\n')
})
