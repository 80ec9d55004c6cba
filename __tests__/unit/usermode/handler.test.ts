import { execFileSync } from 'node:child_process'
import { chmodSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { elfPattern, handlerLine, readHandler, takes } from '../../../src/usermode/handler'
import { cpuOf, emulatorsFor, platforms, readPlatforms, type Platform } from '../../../src/usermode/platforms'
import { selfTest, testProgram } from '../../../src/usermode/self-test'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const emulator = (name: string): (typeof platforms)[number]['emulator'] => {
  const found = platforms.find(row => row.emulator.name === name)
  if (found === undefined) throw new Error(name)
  return found.emulator
}

describe('platforms', () => {
  const rows = (text: string): readonly Platform[] => {
    const list = readPlatforms(text)
    if (typeof list === 'string') throw new Error(list)
    return list.rows
  }
  const names = (text: string): readonly string[] => rows(text).map(({ name }) => name)

  test("are read from a list, by Docker's names and their aliases, each once", () => {
    expect(names('linux/arm/v7, linux/arm64/v8\nlinux/arm64')).toEqual(['linux/arm64', 'linux/arm/v7'])
    expect(names('all')).toEqual(platforms.map(({ name }) => name))
  })

  test('that do not exist are named with those that do', () => {
    expect(() => names('linux/arm64,linux/armv8')).toThrow(
      /^has “linux\/armv8”, which is no platform; valid: all, linux\/arm64, linux\/arm\/v7, /
    )
    expect(() => names(' ')).toThrow(/^is empty; valid: all, /)
  })

  test('of one emulator need it once, and not on a host of their own kind', () => {
    const needed = (text: string, host: NodeJS.Architecture): readonly string[] =>
      emulatorsFor(rows(text), host).map(({ name }) => name)
    expect(needed('linux/arm/v7,linux/arm/v6,linux/arm64', 'x64')).toEqual(['aarch64', 'arm'])
    expect(needed('linux/arm/v7,linux/arm64', 'arm64')).toEqual(['arm'])
  })
})

test('an emulator shows the CPU of the most capable platform that it is wanted for, or the one asked for', () => {
  const arm = platforms.filter(row => row.emulator.name === 'arm')
  const cpus = (rows: readonly Platform[], models: Readonly<Record<string, string>>): string | undefined =>
    cpuOf(emulator('arm'), rows, models)
  expect([cpus(arm, {}), cpus(arm.slice(1), {}), cpus(arm, { '': 'max' })]).toEqual(['cortex-a7', 'arm1176', 'max'])
  expect(cpus(arm.slice(1), { '': 'max', 'linux/arm/v6': 'arm1136' })).toBe('arm1136')
  expect(cpuOf(emulator('riscv64'), platforms, {})).toBeUndefined()
})

describe('a handler', () => {
  const shared = { interpreter: '/usr/bin/qemu', setuid: false }

  test("recognises its platform's executables and shared objects, whatever their ABI", () => {
    expect(handlerLine({ name: 'pi-qemu-1-arm', elf: emulator('arm').elf, ...shared })).toBe(
      String.raw`:pi-qemu-1-arm:M::\x7f\x45\x4c\x46\x01\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x28\x00` +
        String.raw`:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/bin/qemu:F`
    )
    expect(handlerLine({ name: 'x', elf: emulator('s390x').elf, interpreter: '/q', setuid: true })).toBe(
      String.raw`:x:M::\x7f\x45\x4c\x46\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\x16` +
        String.raw`:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff:/q:FC`
    )
  })

  test('is read from what the kernel shows', () => {
    const text =
      'enabled\ninterpreter /usr/libexec/qemu-binfmt/arm-binfmt-P\nflags: POCF\noffset 0\n' +
      'magic 7f454c4601010100000000000000000002002800\nmask ffffffffffffff00fffffffffffffffffeffffff\n'
    const handler = readHandler('qemu-arm', text)
    expect(handler).toEqual({
      ...{ name: 'qemu-arm', enabled: true, interpreter: '/usr/libexec/qemu-binfmt/arm-binfmt-P', flags: 'POCF' },
      matches: {
        magic: '7f454c4601010100000000000000000002002800',
        mask: 'ffffffffffffff00fffffffffffffffffeffffff'
      }
    })
    expect(platforms.filter(({ emulator: { elf } }) => takes(handler, elf)).map(({ name }) => name)).toEqual([
      ...['linux/arm/v7', 'linux/arm/v6', 'linux/arm/v5']
    ])
    const java = readHandler('jar', 'disabled\ninterpreter /usr/bin/jexec\nflags: \nextension .jar\n')
    expect(java).toMatchObject({ enabled: false, flags: '', matches: { extension: 'jar' } })
    expect(takes(java, emulator('arm').elf)).toBe(false)
  })
})

describe('the program for trying', () => {
  test.each([...new Set(platforms.map(row => row.emulator))].map(row => [row.name, row] as const))(
    '%s is one that its handler takes',
    (_, row) => {
      const program = testProgram(row)
      const { magic, mask } = elfPattern(row.elf)
      expect([...magic].every((byte, at) => byte === ((program[at] ?? 0) & (mask[at] ?? 0)))).toBe(true)
      const file = join(scratch.fresh(), 'program')
      writeFileSync(file, program)
      const header = execFileSync('readelf', ['-h', '-l', file], { encoding: 'utf8', stdio: 'pipe' })
      expect(header).toMatch(/Type: +EXEC/)
      expect(header).toMatch(/LOAD[\s\S]*R E/)
    }
  )

  test('says what went wrong', async () => {
    const folder = scratch.fresh()
    chmodSync(folder, 0o755)
    // x86 code under Arm's name: no handler here takes it.
    const nobody = { ...emulator('arm'), elf: { ...emulator('arm').elf, machine: 4242 } }
    expect(await selfTest(nobody, folder)).toMatch(/could not be started|its status was/)
  })
})
