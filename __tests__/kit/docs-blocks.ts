import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { repository } from './runner'

/** A fenced block of the documentation. */
export interface DocsBlock {
  /** Path in the repository. */
  readonly file: string
  /** Of its opening fence, from 1. */
  readonly line: number
  readonly language: string
  readonly text: string
  /** What the HTML comment in front of it says; it is not seen where the page is shown. */
  readonly marker: Marker | undefined
  /** Lines that it prints, in this order: from a block behind `<!-- output -->`. `…` stands for anything. */
  readonly output: readonly string[]
}

/**
 * `<!-- run -->`, `<!-- run: NAME, input=value -->` with things that it needs and inputs to replace, or
 * `<!-- not run: REASON -->`.
 */
export type Marker =
  | { readonly kind: 'run'; readonly needs: readonly string[]; readonly inputs: Readonly<Record<string, string>> }
  | { readonly kind: 'not run'; readonly reason: string }
  | { readonly kind: 'output' }

/**
 * Why a block of commands is not run by the tests of the documentation, besides `FILE does it`, which is a test of its own. A new
 * reason has to be thought about here.
 */
export const reasonsNotToRun: Readonly<Record<string, string>> = {
  'CI runs it': 'building, linting and testing are jobs of .github/workflows/ci.yml',
  'it publishes': 'it pushes tags; .github/workflows/release.yml does the rest',
  'it takes an hour': 'the benchmarks, which are run by hand',
  'a peer': 'it is what the benchmarks compare with, bench/kit/hand.mjs'
}

/** The end-to-end test that does what a block says, if its reason names one. */
export const testOf = (reason: string): string | undefined => /^(\S+\.test\.ts) does it$/.exec(reason)?.[1]

const fence = /^( *)```(.*)$/

/** All fenced blocks of a Markdown text. */
export function blocksOf(file: string, markdown: string): readonly DocsBlock[] {
  const lines = markdown.split('\n')
  const blocks: DocsBlock[] = []
  let comment: string | undefined
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? ''
    const [, indent, language] = fence.exec(line) ?? []
    if (indent === undefined || language === undefined) {
      if (line.trim() !== '') comment = /^<!-- (.*) -->$/.exec(line.trim())?.[1]
      continue
    }
    const end = lines.findIndex((other, index) => index > at && other.trim() === '```')
    if (end < 0) throw new Error(`${file}:${at + 1}: the block has no end`)
    const text = lines.slice(at + 1, end).map(one => one.replace(new RegExp(`^ {0,${indent.length}}`), ''))
    const marker = comment === undefined ? undefined : parseMarker(comment)
    const last = blocks.at(-1)
    if (marker?.kind === 'output' && last !== undefined) blocks[blocks.length - 1] = { ...last, output: text }
    else blocks.push({ file, line: at + 1, language: language.trim(), text: text.join('\n'), marker, output: [] })
    comment = undefined
    at = end
  }
  return blocks
}

function parseMarker(comment: string): Marker | undefined {
  const [, kind, rest = ''] = /^(run|not run|output)(?:: (.*))?$/.exec(comment) ?? []
  if (kind === 'output') return { kind }
  if (kind === 'not run') return { kind, reason: rest }
  if (kind === undefined) return undefined
  const words = rest.split(', ').filter(word => word !== '')
  const pairs = words.filter(word => word.includes('='))
  return {
    kind: 'run',
    needs: words.filter(word => !word.includes('=')),
    inputs: Object.fromEntries(pairs.map(pair => pair.split(/=(.*)/s, 2) as [string, string]))
  }
}

/** The blocks of all pages that users and contributors read. */
export function documentation(): readonly DocsBlock[] {
  const pages = readdirSync(join(repository, 'docs')).filter(name => name.endsWith('.md'))
  const files = ['README.md', 'CONTRIBUTING.md', 'bench/README.md', ...pages.sort().map(name => `docs/${name}`)]
  return files.flatMap(file => blocksOf(file, readFileSync(join(repository, file), 'utf8')))
}

/**
 * The text as a script for `bash -e`: a command with `# status N` behind it has to end with that status.
 */
export function asScript(text: string): string {
  return text
    .split('\n')
    .map(line => {
      const [, command, status] = /^(\S.*?)\s+# status (\d+)\b/.exec(line) ?? []
      return command === undefined
        ? line
        : `__status=0; { ${command}; } || __status=$?; [ $__status = ${status ?? ''} ] || { echo "status $__status"; exit 1; }`
    })
    .join('\n')
}

/** Lines of `expected` that are not found in `output`, in order and each behind the one before. */
export function missingLines(expected: readonly string[], output: string): readonly string[] {
  const lines = output.split('\n').map(line => line.trimEnd())
  let at = 0
  return expected.filter(line => {
    const parts = line
      .trimEnd()
      .split('…')
      .map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
    const found = lines.findIndex((one, index) => index >= at && new RegExp(`^${parts.join('.*')}$`).test(one))
    if (found >= 0) at = found + 1
    return found < 0
  })
}
