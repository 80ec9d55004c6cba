import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { readFlags } from '../../../../src/commands/exec'
import { describeFailure } from '../../../../src/report/errors'
import { debianNames, packageOf } from '../../../../src/usermode/exec/debian-names'
import { checkLibraries, platformOf, readProgram, type Program } from '../../../../src/usermode/exec/program'
import { emulatorEnvironment } from '../../../../src/usermode/exec/run'
import { inForeground, statusOf } from '../../../../src/usermode/exec/signals'
import { platform } from '../../../../src/usermode/platforms'
import { elfFile, type ElfContents } from '../../../kit/elf-files'
import { scratchFolder } from '../../scratch'

const scratch = scratchFolder()

function written(contents: ElfContents, mode = 0o755): string {
  const path = join(scratch.fresh(), 'program')
  writeFileSync(path, elfFile(contents))
  chmodSync(path, mode)
  return path
}
const program = (kind: Program['kind']): Program => ({ path: './app', kind, loader: undefined })
const arm = { bits: 32, order: 'little', machine: 40 } as const

describe('a program', () => {
  test('is told by its file', () => {
    const path = written({ interpreter: '/lib/ld-linux.so.3' })
    expect(readProgram(path)).toEqual({ path, kind: arm, loader: '/lib/ld-linux.so.3' })
    expect(readProgram(written({ type: 2 })).loader).toBeUndefined()
  })

  test.each([
    ['is an object file; link it first', () => written({ type: 1 })],
    ['is an ELF file, but no program', () => written({ type: 4 })],
    ['may not be executed by this user', () => written({}, 0o644)],
    ['is no file', () => scratch.fresh()],
    ['does not exist', () => join(scratch.root, 'none')]
  ])('that %s is refused', (fault, path) => {
    expect(() => readProgram(path())).toThrow(fault)
  })

  test('has a platform: the one asked for if it is of that kind, else what it is', () => {
    expect(platformOf(program(arm)).name).toBe('linux/arm/v7')
    expect(platformOf(program(arm), platform('linux/arm/v6')).name).toBe('linux/arm/v6')
    expect(platformOf(program({ bits: 64, order: 'little', machine: 183 })).name).toBe('linux/arm64')
    expect(() => platformOf(program(arm), platform('linux/arm64'))).toThrow(
      '`./app` is a program for Arm (32-bit), and not for `--platform linux/arm64`; valid for it: linux/arm/v7, linux/arm/v6, linux/arm/v5'
    )
    expect(() => platformOf(program({ ...arm, order: 'big' }))).toThrow(
      /Arm \(32-bit\), big-endian, of which there is no/
    )
    expect(() => platformOf(program({ bits: 64, order: 'little', machine: 999 }))).toThrow(/machine 999 of elf\.h/)
  })

  test('that is dynamic needs a sysroot, and one that fits', () => {
    const dynamic = readProgram(
      written({ interpreter: '/lib/ld-linux-armhf.so.3', needed: ['libssl.so.3', 'libc.so.6'] })
    )
    const said = (sysroot: string | undefined): string => {
      try {
        checkLibraries(dynamic, sysroot, [])
        return 'nothing'
      } catch (error) {
        return describeFailure(error)
      }
    }
    expect(said(undefined)).toMatch(
      /is no static program: it needs \/lib\/ld-linux-armhf\.so\.3 and libraries; give `--sysroot`/
    )
    const empty = scratch.fresh()
    expect(said(empty)).toMatch(/\nCause: the folder is no root file system.*\nRemedy: .* for armhf$/)
    mkdirSync(join(empty, 'lib'))
    writeFileSync(join(empty, 'lib/ld-linux.so.3'), '')
    expect(said(empty)).toMatch(/\nCause: the sysroot is another system's: ld-linux\.so\.3 \(armel\)\n/)
    writeFileSync(join(empty, 'lib/ld-linux-armhf.so.3'), elfFile({}))
    expect(said(empty)).toMatch(
      /lacks shared libraries: libssl\.so\.3 \(for .*\), libc\.so\.6 \(for .*\(by Debian's rule for names: libssl3:armhf libc6:armhf\)/s
    )
    for (const name of ['libssl.so.3', 'libc.so.6']) writeFileSync(join(empty, 'lib', name), elfFile({}))
    expect(said(empty)).toBe('nothing')
  })
})

test.each([
  ['libssl.so.3', 'libssl3'],
  ['libstdc++.so.6', 'libstdc++6'],
  ['libgcc_s.so.1', 'libgcc-s1'],
  ['libglib-2.0.so.0', 'libglib-2.0-0'],
  ['libX11.so.6', 'libx11-6'],
  ['libpthread.so.0', 'libc6'],
  ['libdb-5.3.so', 'libdb5.3'],
  ['libown.so', undefined]
])('Debian has %s in %s', (library, name) => {
  expect(packageOf(library)).toBe(name)
})

test("Debian's names follow from the loader", () => {
  expect(debianNames('/lib/ld-linux-armhf.so.3')).toEqual({ architecture: 'armhf', triplet: 'arm-linux-gnueabihf' })
  expect(debianNames('/lib/ld-musl-armhf.so.1')).toBeUndefined()
})

test('a signal of the terminal reaches all that are in its foreground', () => {
  const line = (group: number, terminal: number, foreground: number): string =>
    `41 (node) (x) S 40 ${group} 39 ${terminal} ${foreground} 4194304 0`
  expect(inForeground(line(41, 34816, 41))).toBe(true)
  expect(inForeground(line(41, 34816, 77))).toBe(false)
  expect(inForeground(line(41, 0, -1))).toBe(false)
  expect(statusOf('SIGILL')).toBe(132)
})

test("the emulator's settings are for what the program starts, too; the caller's do not mix in", () => {
  const env = { A: '1', QEMU_CPU: 'max', QEMU_LD_PREFIX: '/old', QEMU_GDB: '1234' }
  expect(emulatorEnvironment({ env, cpu: 'arm1176', sysroot: '/pi' })).toEqual({
    ...{ A: '1', QEMU_CPU: 'arm1176', QEMU_LD_PREFIX: '/pi' }
  })
  expect(emulatorEnvironment({ env, cpu: 'arm1176', sysroot: undefined })).toEqual({ A: '1', QEMU_CPU: 'arm1176' })
})

describe('the flags', () => {
  test('are before `--`, and all behind it is the program’s', () => {
    const words = ['--platform', 'linux/arm/v6', '--sysroot', '/', '--env', 'A=1', '--env', 'B=x=y', '--env', 'C=']
    expect(readFlags([...words, '--', './app', '--', '--cpu', 'x'])).toEqual({
      ...{ platform: platform('linux/arm/v6'), sysroot: '/', cpu: undefined, locate: undefined },
      ...{ env: { A: '1', B: 'x=y', C: '' }, program: './app', args: ['--', '--cpu', 'x'] }
    })
    expect(readFlags(['--no-locate', '--cpu', 'max', '--', 'app'])).toMatchObject({ cpu: 'max', locate: false })
    expect(readFlags(['--locate', '--', 'app'])).toMatchObject({ locate: true })
  })

  test.each([
    [['app'], 'the program goes after `--`'],
    [['--'], 'needs a program after `--`'],
    [['--sysrot', '/', '--', 'app'], "Unknown option '--sysrot'"],
    [['--env', '=x', '--', 'app'], '`--env` is `=x`; valid is NAME=VALUE'],
    [['--platform', 'arm/v6', '--', 'app'], '`--platform` is “arm/v6”, which is no platform; valid: linux/arm64']
  ])('%j are refused', (words, fault) => {
    expect(() => readFlags(words)).toThrow(fault)
  })
})
