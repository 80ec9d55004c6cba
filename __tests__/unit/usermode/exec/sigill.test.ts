import { afterSystemCall, readInstruction } from '../../../../src/usermode/exec/instruction'
import { cpuFacts } from '../../../../src/usermode/exec/cpus'
import { describeIllegal, type FilePlace, type Illegal } from '../../../../src/usermode/exec/sigill'
import { platforms } from '../../../../src/usermode/platforms'

const le = (...words: readonly number[]): Buffer => Buffer.from(Uint32Array.from(words).buffer)
const halves = (...words: readonly number[]): Buffer => Buffer.from(Uint16Array.from(words).buffer)

describe('an instruction', () => {
  test.each([
    ['arm', false, le(0xe730f110), 'e730f110', false], // sdiv
    ['arm', false, le(0xe7f000f0), 'e7f000f0', true], // udf, of gcc
    ['arm', false, le(0xe7ffdefe), 'e7ffdefe', true], // udf, of llvm
    ['arm', true, halves(0xfbb0, 0xf0f1), 'fbb0 f0f1', false], // udiv
    ['arm', true, halves(0xdeff, 0x4770), 'deff', true], // udf
    ['arm', true, halves(0xba80, 0x4770), 'ba80', false], // hlt
    ['arm', true, halves(0xf7f0, 0xa000), 'f7f0 a000', true], // udf.w
    ['aarch64', false, le(0x2518e3e0), '2518e3e0', false], // ptrue
    ['aarch64', false, le(0x0000dead), '0000dead', true] // udf
  ] as const)('of %s, Thumb: %s', (name, thumb, bytes, hex, trap) => {
    expect(readInstruction(name, thumb, bytes)).toEqual({ hex, trap })
  })

  test.each([
    ['arm', false, le(0xef000000), true],
    ['arm', false, le(0xe3a0002a), false],
    ['arm', true, halves(0x4770, 0xdf00), true],
    ['arm', true, halves(0xdf00, 0x4770), false],
    ['aarch64', false, le(0xd4000001), true],
    ['aarch64', false, le(0xd503201f), false],
    ['arm', false, Buffer.alloc(0), false]
  ] as const)('after a system call is where a sent signal arrives: %s, %s', (name, thumb, before, expected) => {
    expect(afterSystemCall(name, thumb, before)).toBe(expected)
  })
})

describe('the report', () => {
  const place: FilePlace = {
    ...{ path: '/sysroot/lib/libx.so.1', program: false, address: 0x3cc, hardFloat: false },
    symbol: { name: 'divide', offset: 4 },
    attributes: { architecture: 10, profile: 'A', neon: false }
  }
  const illegal: Illegal = {
    ...{ program: './app', emulator: 'arm', cpu: 'arm1176', address: 0x3f7cf3cc, thumb: false, place },
    instruction: { hex: 'e730f110', trap: false }
  }

  test('names address, file, symbol and instruction, and the versions of the architecture', () => {
    expect(describeIllegal(illegal)).toEqual({
      symptom: [
        './app was killed by SIGILL: this program uses an instruction that an arm1176 lacks',
        '  address: 0x3f7cf3cc',
        '  file: /sysroot/lib/libx.so.1, at 0x3cc in it',
        '  symbol: divide + 0x4',
        '  instruction: e730f110 (A32)'
      ].join('\n'),
      cause: '/sysroot/lib/libx.so.1 was built for ARMv7-A; an arm1176 is ARMv6KZ',
      remedy: 'use a library that was built for this CPU (-march=armv6 -marm -mfpu=vfp)'
    })
  })

  test("knows Debian's armhf, in libraries and in what its compiler links", () => {
    const library = { ...place, hardFloat: true }
    expect(describeIllegal({ ...illegal, place: library }).remedy).toMatch(
      /^Debian armhf is ARMv7: use Raspberry Pi OS's/
    )
    const own = { ...library, program: true }
    expect(describeIllegal({ ...illegal, place: own }).remedy).toMatch(
      /^build it with -march=armv6 .*arm-linux-gnueabi-gcc$/
    )
    expect(describeIllegal({ ...illegal, cpu: 'cortex-a7', place: own }).remedy).not.toContain('gnueabi-gcc')
  })

  test('does not blame a file that was built for no more than the CPU', () => {
    const attributes = { architecture: 10, profile: 'A', neon: true }
    const { cause } = describeIllegal({ ...illegal, cpu: 'cortex-a9', place: { ...place, attributes } })
    expect(cause).toMatch(
      /libx\.so\.1 says it was built for ARMv7-A with NEON; a cortex-a9 is ARMv7-A\. The instruction came in/
    )
  })

  test('tells a trap, generated code, a stripped file and an unknown CPU', () => {
    const trap = describeIllegal({ ...illegal, instruction: { hex: 'e7f000f0', trap: true } })
    expect(trap.symptom).toMatch(/^\.\/app was killed by SIGILL: it ran into a trap\n/)
    expect(trap.remedy).toContain('the CPU is not at fault')
    const generated = describeIllegal({ ...illegal, place: undefined })
    expect(generated.symptom).toContain('  file: none; the program made this code itself, in memory\n  instruction:')
    expect(generated.cause).toBe('the program generates code, and for more than an arm1176 has')
    const stripped = describeIllegal({ ...illegal, place: { ...place, symbol: undefined } })
    expect(stripped.symptom).toContain('  symbol: none (the file is stripped)\n')
    const unknown = describeIllegal({ ...illegal, cpu: 'sa1110' })
    expect(unknown.symptom).toContain('an instruction that a sa1110 lacks')
    expect(unknown.remedy).toBe('use a library that was built for this CPU (-mcpu=sa1110)')
  })
})

test("what is known of CPUs covers those of a Pi's platforms", () => {
  const cpus = platforms.flatMap(({ cpu }) => (cpu === undefined ? [] : [cpu]))
  expect(cpus.map(cpu => cpuFacts(cpu)?.architecture)).toEqual(['ARMv8-A', 'ARMv7-A', 'ARMv6KZ', 'ARMv5TEJ'])
  expect(cpuFacts('cortex-a7,neon=off')?.name).toBe('a cortex-a7')
  expect(cpuFacts('max')).toBeUndefined()
  expect(cpuFacts('constructor')).toBeUndefined()
})
