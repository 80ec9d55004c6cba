import { mkdtemp, rm } from 'node:fs/promises'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { spawn } from 'node:child_process'
import { binfmtLine, emulatorFor, inNamespace, keepsHandlersApart } from '../../../src/host/foreign'
import { privateNamespace } from '../../../src/host/foreign-scripts'

test('the handler of arm64 is the one that binfmt_misc expects for AArch64 ELF files', () => {
  expect(binfmtLine('arm64', '/usr/bin/qemu-aarch64-static')).toBe(
    String.raw`:pi-qemu-arm64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00` +
      String.raw`:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff` +
      ':/usr/bin/qemu-aarch64-static:FC'
  )
})

test('an arm64 host runs arm64 itself, and emulates the rest', () => {
  expect(emulatorFor('arm64', 'arm64')).toBeUndefined()
  expect(emulatorFor('armhf', 'arm64')).toBe('qemu-arm-static')
  expect(emulatorFor('arm64', 'x64')).toBe('qemu-aarch64-static')
})

test.each([
  ['6.6.99-generic', false],
  ['6.7.0', true],
  ['6.18.44-x', true],
  ['5.15.0-100-generic', false],
  ['10.0.1', true]
] as const)('kernel %s keeps handlers apart: %s', (kernel, apart) => {
  expect(keepsHandlersApart(kernel)).toBe(apart)
})

const able = process.getuid?.() === 0 && keepsHandlersApart(release())
const whereAble = able ? describe : describe.skip

whereAble('a private namespace (root, Linux 6.7 or newer)', () => {
  let scratch: string
  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'pi-qemu-test-namespace-'))
  })
  afterEach(() => rm(scratch, { recursive: true, force: true }))

  test('gives files any owner, on a memory file system that goes away with it', async () => {
    const command = ['sh', '-c', 'touch "$1/f" && chown 33:44 "$1/f" && stat -c %u:%g "$1/f"', 'sh', scratch]
    expect(await inNamespace({ scratch, command })).toBe('33:44\n')
    expect(existsSync(join(scratch, 'f'))).toBe(false)
  })

  test("has its command's status and last words", async () => {
    const command = ['sh', '-c', 'echo gone wrong >&2; exit 3']
    await expect(inNamespace({ scratch, command })).rejects.toThrow(/status 3[\s\S]*gone wrong/)
  })

  test('ends with all that is in it when the one who started it is gone', async () => {
    const child = spawn('bash', ['-c', privateNamespace, 'namespace', '', scratch, 'sleep', '86399.25'])
    // The command itself; the shells around it have more arguments.
    const sleeping = (): boolean => commandLines().includes('sleep\0' + '86399.25\0')
    await until(sleeping)
    child.stdin.end()
    await until(() => !sleeping())
    expect(sleeping()).toBe(false)
  })
})

function commandLines(): readonly string[] {
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name))
    .map(pid => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8')
      } catch {
        return ''
      }
    })
}

async function until(condition: () => boolean): Promise<void> {
  for (let tries = 0; !condition(); tries++) {
    if (tries > 200) throw new Error('it did not come about within 10 s')
    await new Promise(resolve => setTimeout(resolve, 50))
  }
}
