import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { binfmtScript } from '../../src/usermode/binfmt-script'
import { handlerLine } from '../../src/usermode/handler'
import { platforms } from '../../src/usermode/platforms'
import { testProgram } from '../../src/usermode/self-test'
import { scratchFolder } from '../unit/scratch'

const scratch = scratchFolder()

/** A handler of a platform, by a program that says its name: real emulators are for the tests that install them. */
function handler(name: string, platform: string, folder: string): readonly [string, string] {
  const emulator = platforms.find(row => row.name === platform)?.emulator
  if (emulator === undefined) throw new Error(platform)
  const interpreter = join(folder, `for-${name}`)
  writeFileSync(interpreter, `#!/bin/sh\necho ${name}\n`)
  chmodSync(interpreter, 0o755)
  const program = join(folder, emulator.name)
  writeFileSync(program, testProgram(emulator))
  chmodSync(program, 0o755)
  return [name, handlerLine({ name, elf: emulator.elf, interpreter, setuid: false })]
}

/** Runs shell lines in a namespace with a binfmt_misc of its own at `$fs`; `change` is the script under test. */
function inNamespace(folder: string, lines: readonly string[], args: readonly string[] = []): readonly string[] {
  const [fs, note, script] = ['fs', 'note', 'script'].map(name => join(folder, name)) as [string, string, string]
  mkdirSync(fs, { recursive: true })
  writeFileSync(script, binfmtScript)
  const text = [
    'set -u',
    `fs='${fs}' note='${note}' at='${folder}'`,
    `change() { do=$1; shift; sh '${script}' "$do" "$fs" "$note" "$@" || echo "status $?"; }`,
    // The newest first: what a program meets.
    'all() { for entry in "$fs"/*; do case $entry in */register) ;; *) echo "== ${entry##*/}"; cat "$entry" ;; esac; done; }',
    ...lines,
    'true'
  ].join('\n')
  const unshare = ['--user', '--map-root-user', '--mount', 'sh', '-c', text, 'inside', ...args]
  return execFileSync('unshare', unshare, { encoding: 'utf8' }).split('\n').slice(0, -1)
}

describe('handlers', () => {
  test('come and go; binfmt_misc is not mounted afterwards where it was not before', () => {
    const folder = scratch.fresh()
    const arm = handler('pi-qemu-1-arm', 'linux/arm/v7', folder)
    const said = inNamespace(
      folder,
      ['change register "$@"', '"$at/arm"', 'change withdraw "$1"', 'mountpoint -q "$fs" && echo mounted', 'ls "$fs"'],
      arm
    )
    expect(said).toEqual(['pi-qemu-1-arm'])
    expect(existsSync(join(folder, 'note'))).toBe(false)
  })

  test("leave others as they were: of the same name's kind, disabled ones, and the switch for all", () => {
    const folder = scratch.fresh()
    const theirs = handler('qemu-arm', 'linux/arm/v7', folder)
    const off = handler('qemu-aarch64', 'linux/arm64', folder)
    const ours = handler('pi-qemu-1-arm', 'linux/arm/v7', folder)
    const said = inNamespace(
      folder,
      [
        'mount -t binfmt_misc binfmt_misc "$fs"',
        'printf %s "$2" > "$fs/register"; printf %s "$4" > "$fs/register"; echo 0 > "$fs/qemu-aarch64"; echo 0 > "$fs/status"',
        'all > "$at/before"',
        'change register "$5" "$6"',
        '"$at/arm"; cat "$fs/status"',
        'change withdraw "$5"',
        'all > "$at/after"; cmp "$at/before" "$at/after" && echo same',
        'echo 1 > "$fs/status"; "$at/arm"'
      ],
      [...theirs, ...off, ...ours]
    )
    expect(said).toEqual(['pi-qemu-1-arm', 'enabled', 'same', 'qemu-arm'])
  })

  test('of two runs at once are withdrawn each by its own; the last puts the host back', () => {
    const folder = scratch.fresh()
    const [first, second] = ['1', '2'].map(id => handler(`pi-qemu-${id}-arm`, 'linux/arm/v7', folder))
    const said = inNamespace(
      folder,
      [
        'change register "$1" "$2"; change register "$3" "$4"',
        '"$at/arm"',
        'change withdraw "$1"; "$at/arm"; ls "$note"',
        'change withdraw "$3"; mountpoint -q "$fs" && echo mounted'
      ],
      [...(first ?? []), ...(second ?? [])]
    )
    expect(said).toEqual(['pi-qemu-2-arm', 'pi-qemu-2-arm', join(folder, 'note')])
  })

  test('that somebody registered in between stay, and binfmt_misc with them', () => {
    const folder = scratch.fresh()
    const ours = handler('pi-qemu-1-arm', 'linux/arm/v7', folder)
    const theirs = handler('mine', 'linux/arm64', folder)
    const said = inNamespace(
      folder,
      ['change register "$1" "$2"; printf %s "$4" > "$fs/register"', 'change withdraw "$1"', 'ls "$fs"; "$at/aarch64"'],
      [...ours, ...theirs]
    )
    expect(said).toEqual(['mine', 'register', 'status', 'mine'])
  })

  test('can be registered again, and withdrawn again', () => {
    const folder = scratch.fresh()
    const ours = handler('pi-qemu-1-arm', 'linux/arm/v7', folder)
    const twice = [
      'change register "$@"; change register "$@"; "$at/arm"',
      'change withdraw "$1"; change withdraw "$1"'
    ]
    expect(inNamespace(folder, twice, ours)).toEqual(['pi-qemu-1-arm'])
  })

  test('that the kernel does not take are a failure, and nothing is left', () => {
    const folder = scratch.fresh()
    const [name, line] = handler('pi-qemu-1-arm', 'linux/arm/v7', folder)
    const gone = line.replace(/:[^:]*:F$/, ':/nowhere/qemu:F')
    const said = inNamespace(
      folder,
      ['change register "$@" 2>/dev/null', 'change withdraw "$1"', 'mountpoint -q "$fs" && echo mounted', 'ls "$fs"'],
      [name, gone]
    )
    expect(said).toEqual(['status 1'])
  })
})
