import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { reseedProgram } from '../../../src/images/provision/reseed'
import { notRevived, reviveText, settleText } from '../../../src/snapshot/texts'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

test('any key bytes take their place in a file without moving what is around them', () => {
  const file = join(scratch.fresh(), "it's a key")
  const content = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
  writeFileSync(file, Buffer.concat([Buffer.alloc(256, 'x'), Buffer.from('rest')]))
  const text = reviveText({ seed: Buffer.alloc(8), keys: [{ path: file, content }] })
  const write = text
    .split('\n')
    .filter(line => line.includes('1<>'))
    .join('\n')
  execFileSync('sh', ['-c', write])
  expect(readFileSync(file)).toEqual(Buffer.concat([content, Buffer.from('rest')]))
})

test('the first step that fails ends it with a status of its own', () => {
  const text = reviveText({
    seed: Buffer.alloc(8),
    keys: [{ path: '/nonexistent/key', content: Buffer.from('k') }]
  })
  const [, , step = ''] = text.split('\n')
  expect(step).toContain('/nonexistent/key')
  expect(() => execFileSync('sh', ['-c', `${step}\necho after`], { stdio: 'ignore' })).toThrow(
    expect.objectContaining({ status: notRevived }) as Error
  )
})

test('the texts are valid for any POSIX shell', () => {
  const key = { path: '/etc/key', content: Buffer.from('k') }
  for (const text of [settleText({ throwaway: [key], empty: [key] }), reviveText({ seed: Buffer.alloc(64), keys: [] })])
    execFileSync('dash', ['-n'], { input: text })
})

test.each(['arm64', 'armhf'] as const)('the program that reseeds is an executable for %s', architecture => {
  const program = reseedProgram(architecture)
  expect(program?.subarray(0, 4).toString('latin1')).toBe('\x7fELF')
  expect(program?.readUInt16LE(18)).toBe({ arm64: 183, armhf: 40 }[architecture])
  expect(program?.subarray(-13).toString()).toBe('/dev/urandom\0')
})
