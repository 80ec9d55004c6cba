import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { neededFiles, type Missing } from '../../../../src/usermode/exec/needed'
import { elfFile, type ElfContents } from '../../../kit/elf-files'
import { scratchFolder } from '../../scratch'

const scratch = scratchFolder()
const loader = '/lib/ld-linux-armhf.so.3'
const kind = { bits: 32, order: 'little', machine: 40 } as const

/** Writes files into a sysroot: ELF by contents, others by text. */
function sysroot(files: Readonly<Record<string, ElfContents | string>>): string {
  const root = scratch.fresh()
  for (const [path, contents] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), typeof contents === 'string' ? contents : elfFile(contents))
  }
  return root
}

function missing(
  program: ElfContents,
  files: Readonly<Record<string, ElfContents | string>>,
  libraryPath: readonly string[] = []
): readonly Missing[] {
  const root = sysroot({ [loader]: {}, ...files })
  const path = join(root, 'home/pi/program')
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, elfFile({ interpreter: loader, ...program }))
  const request = { program: path, sysroot: root, kind, triplets: ['arm-linux-gnueabihf'], libraryPath }
  return neededFiles(request).missing.map(one => ({ ...one, neededBy: one.neededBy.replace(root, '') }))
}
const names = (...request: Parameters<typeof missing>): readonly string[] => missing(...request).map(({ name }) => name)

test('libraries are found in the folders of Debian and of others, in one another’s turn', () => {
  const files = {
    '/lib/arm-linux-gnueabihf/libc.so.6': {},
    '/usr/lib/arm-linux-gnueabihf/liba.so.1': { needed: ['libb.so.1', 'libc.so.6'] },
    '/usr/lib/libb.so.1': { needed: ['liba.so.1', 'libgone.so.2'] },
    '/usr/local/lib/libd.so': {}
  }
  expect(missing({ needed: ['liba.so.1', 'libc.so.6', 'libd.so', 'ld-linux-armhf.so.3'] }, files)).toEqual([
    { what: 'library', name: 'libgone.so.2', neededBy: '/usr/lib/libb.so.1' }
  ])
})

test('each that is missing is named once, with the first that asks', () => {
  expect(missing({ needed: ['libx.so.1', 'liba.so.1'] }, { '/lib/liba.so.1': { needed: ['libx.so.1'] } })).toEqual([
    { what: 'library', name: 'libx.so.1', neededBy: '/home/pi/program' }
  ])
})

test('a file for another machine is passed over', () => {
  const needed = { needed: ['liba.so.1'] }
  expect(names(needed, { '/lib/liba.so.1': { machine: 62, bits: 64 } })).toEqual(['liba.so.1'])
  expect(names(needed, { '/lib/liba.so.1': 'no ELF file', '/usr/lib/liba.so.1': {} })).toEqual([])
})

test('the folders that files name are theirs: a RPATH counts for what they bring, a RUNPATH does not', () => {
  const files = {
    '/home/pi/lib/liba.so.1': { needed: ['libb.so.1'] },
    '/home/pi/lib/libb.so.1': { runpath: '${ORIGIN}/deeper', needed: ['libc.so.1'] },
    '/home/pi/lib/deeper/libc.so.1': {}
  }
  // A program's own folder is the host's, and where it is there is its $ORIGIN.
  expect(names({ needed: ['liba.so.1'], rpath: '$ORIGIN/lib' }, files)).toEqual([])
  expect(names({ needed: ['liba.so.1'], runpath: '$ORIGIN/lib' }, files)).toEqual(['libb.so.1'])
  expect(names({ needed: ['liba.so.1'], runpath: '/home/pi/lib' }, files)).toEqual(['libb.so.1'])
  expect(
    names({ needed: ['liba.so.1'], rpath: '/usr/$LIB/own' }, { '/usr/lib/arm-linux-gnueabihf/own/liba.so.1': {} })
  ).toEqual([])
})

test('so do LD_LIBRARY_PATH, and what the loader of the sysroot was told', () => {
  const needed = { needed: ['liba.so.1'] }
  expect(names(needed, { '/opt/liba.so.1': {} })).toEqual(['liba.so.1'])
  expect(names(needed, { '/opt/liba.so.1': {} }, ['/opt'])).toEqual([])
  expect(names(needed, { '/opt/liba.so.1': {}, '/etc/ld.so.conf.d/x.conf': '# ours\n/opt # here\n' })).toEqual([])
  expect(
    names(needed, { '/opt/liba.so.1': {}, '/etc/ld.so.cache': 'glibc-ld.so.cache1.1\0liba.so.1\0/opt/liba.so.1\0' })
  ).toEqual([])
})

test('a loader that is missing explains the rest', () => {
  expect(missing({ interpreter: '/lib/ld-linux.so.3', needed: ['libc.so.6'] }, {})).toEqual([
    { what: 'loader', name: '/lib/ld-linux.so.3', neededBy: '/home/pi/program' }
  ])
})

test('the loader of musl is its C library', () => {
  const musl = { interpreter: '/lib/ld-musl-armhf.so.1', needed: ['libc.musl-armhf.so.1', 'libc.so', 'libz.so.1'] }
  expect(names(musl, { '/lib/ld-musl-armhf.so.1': {} })).toEqual(['libz.so.1'])
})

test('a static program needs nothing', () => {
  const root = sysroot({})
  const path = join(root, 'static')
  writeFileSync(path, elfFile({}))
  symlinkSync(path, join(root, 'link'))
  const request = { program: join(root, 'link'), sysroot: root, kind, triplets: [], libraryPath: [] }
  expect(neededFiles(request).missing).toEqual([])
})
