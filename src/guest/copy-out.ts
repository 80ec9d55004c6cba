import { shellQuote } from './script'

/** What stands in front of the lines that tell of a pattern without a match. */
const missingMark = 'pi-qemu: no match: '

/** In a pattern only these mean something: wildcards, and what they need within brackets. */
const active = /[*?[\]!^-]/

/** A word that a shell expands as a pattern; all else in it is taken as it is. */
export function globWord(pattern: string): string {
  return pattern
    .split(/([*?[\]!^-]+)/)
    .filter(part => part !== '')
    .map(part => (active.test(part) ? part : shellQuote(part)))
    .join('')
}

export interface CopyOutRequest {
  /** Absolute paths and patterns in the guest. */
  readonly patterns: readonly string[]
  /** Folder to make for the copies, which lie below it under their own paths. */
  readonly folder: string
}

/**
 * Copies what matches into a folder, as root. Links that are named themselves are followed; those below a folder are
 * copied as links. What cannot be copied is told on stderr, and does not keep the rest.
 */
export function copyOutText({ patterns, folder }: CopyOutRequest): string {
  const target = shellQuote(folder)
  return `out=${target}
rm -rf "$out"; mkdir "$out"
copy() {
  wanted=$1; shift; found=
  for path; do
    [ -e "$path" ] || [ -L "$path" ] || continue
    found=1
    while [ "$path" != / ] && [ "\${path%/}" != "$path" ]; do path=\${path%/}; done
    case $out/ in "\${path%/}"/*) echo "$path holds the workspace, and is not copied" >&2; continue ;; esac
    above=\${path%/*}
    mkdir -p "$out$above" && cp -a -H "$path" "$out$above/"
  done
  [ -n "$found" ] || printf '${missingMark}%s\\n' "$wanted"
}
${patterns.map(pattern => `copy ${shellQuote(pattern)} ${globWord(pattern)}`).join('\n')}
`
}

/** The patterns without a match, from what {@link copyOutText} printed. */
export function patternsWithoutMatch(stdout: string): readonly string[] {
  return stdout.split('\n').flatMap(line => (line.startsWith(missingMark) ? [line.slice(missingMark.length)] : []))
}
