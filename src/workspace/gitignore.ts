import { existsSync, lstatSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { findTool, tryTool } from '../host/exec'
import { below, bytes, excluding, type BytePath, type Excluded } from './tree'

/**
 * A line of a `.gitignore` file in a folder, as it would be said at the top. Comments and blank lines are none.
 */
export function atTop(folder: BytePath, line: string): string | undefined {
  const [, not = '', pattern = ''] = /^(!?)(.*)$/s.exec(line.replace(/\r$/, '')) ?? []
  if (pattern.trim() === '' || /^#/.test(line)) return undefined
  if (folder === '') return not + pattern
  // With a slash but at its end, a pattern means a place; without, any place below.
  const placed = pattern.replace(/\/\s*$/, '').includes('/')
  const from = Buffer.from(folder, 'latin1')
    .toString('utf8')
    .replace(/[\\*?[\]!# ]/g, '\\$&')
  return `${not}/${from}/${placed ? '' : '**/'}${pattern.replace(/^\//, '')}`
}

/**
 * What git leaves alone in a folder: by its `.gitignore` files, a deeper one overruling those above, and by
 * `.git/info/exclude`. Then come patterns of our own, which overrule them all. What git tracks is never excluded.
 */
export async function excludingIgnored(workspace: string, patterns: readonly string[]): Promise<Excluded> {
  const tracked = await trackedIgnored(workspace)
  const rules = linesOf(Buffer.from(join(workspace, '.git/info/exclude'))).flatMap(line => atTop('', line) ?? [])
  collect(workspace, '', rules, excluding(rules), tracked)
  const ignored = excluding([...rules, ...patterns])
  const own = excluding(patterns)
  return (path, isFolder) => ignored(path, isFolder) && (!tracked.has(path) || own(path, isFolder))
}

/** Adds the rules of the `.gitignore` files from a folder on; like git, none from folders that are ignored. */
function collect(
  workspace: string,
  folder: BytePath,
  rules: string[],
  above: Excluded,
  tracked: ReadonlySet<BytePath>
): void {
  const here = linesOf(bytes(workspace, below(folder, '.gitignore'))).flatMap(line => atTop(folder, line) ?? [])
  rules.push(...here)
  const ignored = here.length === 0 ? above : excluding(rules)
  for (const entry of readdirSync(bytes(workspace, folder), { encoding: 'buffer', withFileTypes: true })) {
    const path = below(folder, entry.name.toString('latin1'))
    if (!entry.isDirectory() || path === '.git' || (ignored(path, true) && !tracked.has(path))) continue
    collect(workspace, path, rules, ignored, tracked)
  }
}

/** Lines of a file; none where there is no such file. Git follows no link there, either. */
function linesOf(file: Buffer): readonly string[] {
  try {
    return lstatSync(file).isFile() ? readFileSync(file, 'utf8').split('\n') : []
  } catch {
    return []
  }
}

/** Files that git tracks although they are ignored, and the folders that hold them; none without git, or a work tree. */
async function trackedIgnored(workspace: string): Promise<ReadonlySet<BytePath>> {
  if (!existsSync(join(workspace, '.git')) || (await findTool('git')) === undefined) return new Set()
  // A repository's settings can name programs to start; this question needs none.
  const question = ['-c', 'core.fsmonitor=false', 'ls-files', '-z', '--cached', '--ignored', '--exclude-standard']
  const { code, stdout } = await tryTool('git', question, { cwd: workspace, input: '', encoding: 'latin1' })
  if (code !== 0) return new Set()
  const files = stdout.split('\0').filter(path => path !== '')
  return new Set(files.flatMap(path => path.split('/').map((_, index, names) => names.slice(0, index + 1).join('/'))))
}
