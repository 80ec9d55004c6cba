import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync
} from 'node:fs'
import { join } from 'node:path'

/** File names that a careless program stumbles over: as bytes, one character each. */
export const oddNames: readonly string[] = [
  'line\nbreak',
  ' blanks ',
  '-rf',
  '--',
  "it's",
  '"quoted"',
  'back\\slash',
  '$HOME `id` $(id)',
  '*?[a]',
  'tab\tand\rreturn',
  'bell\x07\x1b[31m',
  '#hash!',
  '~',
  '...',
  'gr\xc3\xbcn',
  'no-text-\xff\xfe\x80',
  'x'.repeat(255)
]

const GiB = 2 ** 30
/** Bytes, of the file with most of it a hole; its last bytes are {@link hugeEnd}. */
export const hugeSize = 4 * GiB + 300 * 2 ** 20
export const hugeEnd = 'end of the huge file'

/** Where the files are that are many. */
const perFolder = 500

/** Path of a name of any bytes. */
export const rawPath = (root: string, name: string): Buffer =>
  Buffer.concat([Buffer.from(`${root}/`), Buffer.from(name, 'latin1')])

/** A word for the guest's shell that stands for any bytes; they are behind `printf`, for inputs are text. */
export function octal(name: string): string {
  return `"$(printf '${Buffer.from(name, 'latin1').reduce((text, byte) => `${text}\\${byte.toString(8).padStart(3, '0')}`, '')}')"`
}

/** Fills a workspace with all that a file system can hold, and `many` small files. */
export function fillWorkspace(root: string, many: number): void {
  const at = (...names: readonly string[]): string => join(root, ...names)
  const put = (path: string, text: string, mode = 0o644): void => {
    writeFileSync(path, text)
    chmodSync(path, mode)
  }
  for (const folder of ['modes', 'odd', 'gone/deep', 'empty/er', 'many', 'turn/folder/inner'])
    mkdirSync(at(folder), { recursive: true })
  for (const mode of ['600', '755', '444', '4755', '2750']) put(at('modes', mode), mode, Number.parseInt(mode, 8))
  for (const mode of ['700', '1777', '555']) {
    mkdirSync(at('modes', `d${mode}`))
    put(at('modes', `d${mode}/file`), mode)
    chmodSync(at('modes', `d${mode}`), Number.parseInt(mode, 8))
  }
  for (const name of oddNames) writeFileSync(rawPath(at('odd'), name), 'host')
  symlinkSync('modes/600', at('link'))
  symlinkSync('/not/there', at('dangling'))
  symlinkSync('t'.repeat(200), at('long-link'))
  put(at('hard-a'), 'hard')
  linkSync(at('hard-a'), at('hard-b'))
  put(at('gone/file'), 'x')
  put(at('gone/deep/file'), 'x')
  put(at('gone-file'), 'x')
  put(at('turn/file'), 'was a file')
  put(at('turn/folder/inner/file'), 'was in a folder')
  put(at('stealth'), 'before')
  utimesSync(at('stealth'), 1_500_000_000, 1_500_000_000)
  sparse(at('huge'), hugeSize, hugeEnd)
  for (let index = 0; index < many; index++) {
    const folder = at('many', `d${Math.floor(index / perFolder)}`)
    if (index % perFolder === 0) mkdirSync(folder)
    writeFileSync(join(folder, `f${index % perFolder}`), `small ${index}`)
  }
}

/** A file of holes with a text at its end. */
function sparse(path: string, size: number, end: string): void {
  const fd = openSync(path, 'w')
  writeSync(fd, end, size - end.length)
  closeSync(fd)
  truncateSync(path, size)
}

/** The last bytes of a file. */
export function tail(path: string, length: number): string {
  return execFileSync('tail', ['-c', String(length), path], { encoding: 'utf8' })
}

/** All there is to say about each path in a folder; contents but for huge files. */
export function picture(root: string, folder = Buffer.from(root)): readonly string[] {
  return readdirSync(folder, { encoding: 'buffer' }).flatMap(name => {
    const path = Buffer.concat([folder, Buffer.from('/'), name])
    const { mode, size, mtimeNs, uid, blocks } = lstatSync(path, { bigint: true })
    const line = `${path.toString('latin1')} ${mode.toString(8)} ${uid}`
    if ((mode & 0o170000n) === 0o040000n) return [line, ...picture(root, path)]
    if ((mode & 0o170000n) === 0o120000n) return [`${line} -> ${readlinkSync(path)}`]
    const text = size > 2n ** 20n ? `${blocks} blocks` : readFileSync(path, 'latin1')
    return [`${line} ${size} ${mtimeNs} ${text}`]
  })
}
