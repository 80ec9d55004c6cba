import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { get } from 'node:http'
import { createServer } from 'node:net'
import { difference, hostState, unchanged } from '../kit/host-state'
import { run } from '../kit/run'
import { RunnerJob } from '../kit/runner'
import { freePort } from '../kit/sockets'

jest.setTimeout(300_000)

let job: RunnerJob
beforeEach(async () => {
  job = await RunnerJob.create()
})
afterEach(async () => {
  expect(await job.dispose()).toEqual([])
})

const fetchText = (url: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get(url, response => {
      let text = ''
      response
        .on('data', chunk => (text += String(chunk)))
        .on('end', () => {
          resolve(text)
        })
    }).on('error', reject)
  })

test('keep-running: a later step reaches the Pi with plain ssh and through `ports`; post ends it', async () => {
  const before = await hostState({ roots: [] })
  const port = await freePort()
  const step = job.step({
    board: 'virt',
    'keep-running': 'true',
    ports: `${port}:8080`,
    run: 'mkdir /srv/www; echo hello from the guest > /srv/www/index.html; httpd -p 8080 -h /srv/www; touch /root/was-here'
  })
  const { code, outputs } = await step.main()
  expect(code).toBe(0)
  expect(outputs).toMatchObject({
    'ssh-host': '127.0.0.1',
    'ssh-user': 'root'
  })
  expect(outputs['ssh-port']).toMatch(/^\d+$/)

  // The guest's key is known beforehand, and checked: no question, no warning.
  const seen = await run('ssh', ['-F', outputs['ssh-config'] ?? '', 'pi', 'ls /root; uname -m'])
  expect(seen).toBe('was-here\naarch64\n')
  expect(await fetchText(`http://127.0.0.1:${port}/index.html`)).toBe('hello from the guest\n')
  expect((await stat(outputs['ssh-key'] ?? '')).mode & 0o777).toBe(0o600)
  const listening = (await run('ss', ['-ltnH']).catch(() => ''))
    .split('\n')
    .filter(line => line.includes(`:${outputs['ssh-port'] ?? ''} `))
  for (const line of listening) expect(line).toContain('127.0.0.1:')

  expect((await step.post()).code).toBe(0)
  expect(difference(before, await hostState({ roots: [] }))).toEqual(unchanged)
})

test('a host port that is taken is named, before a boot', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as { port: number }
  const step = job.step({ board: 'virt', sync: 'none', ports: `${port}:80`, run: 'true' })
  const { outputs, log } = await step.main()
  server.close()
  await step.post()
  expect(outputs['outcome']).toBe('boot-failed')
  expect(log).toMatch(new RegExp(`hostfwd|host forwarding rule.*${port}`))
  expect(log).toContain('is taken by another program')
})

describe('save-image', () => {
  let scratch: string
  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-save-'))
  })
  afterEach(() => rm(scratch, { recursive: true, force: true }))

  test.each(['img', 'img.xz', 'img.zst', 'qcow2'])(
    'a disk saved as .%s boots again, holds the change, and no key of the run',
    async ending => {
      const saved = join(scratch, `saved.${ending}`)
      const first = job.step({
        board: 'virt',
        sync: 'none',
        'save-image': saved,
        run: 'echo kept > /etc/kept; ls -l /etc/pi-qemu'
      })
      const made = await first.main()
      expect([made.code, made.log]).toEqual([0, expect.stringContaining(`Saved ${saved}`)])
      await first.post()

      if (ending === 'img') {
        const listing = await run('sh', [
          '-c',
          'debugfs -R "ls -p /etc/pi-qemu" "$1?offset=71303168" 2>/dev/null',
          'sh',
          saved
        ])
        expect(listing).not.toContain('authorized_keys')
        // Dropbear's private key, in place or in a freed block: the type, then 64 bytes that are not all zero.
        const left = await run('grep', ['-caP', 'ssh-ed25519\\x00\\x00\\x00@', saved], {
          tolerate: true,
          env: { LC_ALL: 'C' }
        })
        expect(left).toBe('0\n')
      }
      const again = job.step({ image: saved, board: 'virt', sync: 'none', run: 'cat /etc/kept' })
      const { code, stdout } = await again.main()
      expect([code, stdout]).toEqual([0, expect.stringContaining('kept\n')])
      await again.post()
    }
  )
})
