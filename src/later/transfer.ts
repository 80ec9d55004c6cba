import { statSync } from 'node:fs'
import { mkdtemp, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { posix } from 'node:path'
import { shellQuote } from '../guest'
import { BadInput, HostFailure } from '../report/errors'
import type { Entered } from './connect'
import { laterDirectory } from './script'
import { packing, startTar } from './tar'

/**
 * Unpacks what comes on standard input at `$1`: in it, if it is a folder or ends in a slash; else as it, which takes one
 * name, `$2`. Relative to `$3`, or the user's home. As root where the user may not write.
 */
const putText = `set -e
cd "\${3:-$HOME}"
to=$1 folder=
case $to in */) folder=1 ;; esac
if [ -d "$to" ]; then folder=1; fi
if [ -z "$folder" ] && [ -z "$2" ]; then echo "$to is no folder" >&2; exit 1; fi
at=$to
[ -n "$folder" ] || at=$(dirname -- "$to")
near=$at
until [ -d "$near" ]; do near=$(dirname -- "$near"); done
as=
[ -w "$near" ] || as='sudo -n'
$as mkdir -p -- "$at"
if [ -n "$folder" ]; then exec $as tar -x -o -f - -C "$at"; fi
new=$at/.pi-qemu-put-$$
$as mkdir -- "$new"
trap '$as rm -rf -- "$new"' EXIT
$as tar -x -o -f - -C "$new"
$as mv -f -- "$new/$2" "$to"
`

/** Packs what is at `$1`, relative to `$2` or the user's home; as root if that is possible, since root may read all. */
const getText = `set -e
cd "\${2:-$HOME}"
as=
if [ "$(id -u)" != 0 ] && sudo -n true 2>/dev/null; then as='sudo -n'; fi
$as test -e "$1" || $as test -L "$1" || { echo "there is no $1" >&2; exit 1; }
exec $as tar -c -f - -C "$(dirname -- "$1")" -- "./$(basename -- "$1")"
`

const command = (text: string, words: readonly string[]): string =>
  ['sh', '-c', text, 'sh', ...words].map(shellQuote).join(' ')

/**
 * Copies files and folders of the host into a Pi.
 * @param cwd this process's; relative paths start there on both sides, if it is in the workspace
 * @throws BadInput for a file that does not exist; HostFailure if it does not arrive
 */
export async function put(pi: Entered, from: readonly string[], to: string, cwd: string): Promise<void> {
  const sources = from.map(path => resolve(cwd, path))
  const missing = sources.filter(path => statSync(path, { throwIfNoEntry: false }) === undefined)
  if (missing.length > 0) throw new BadInput(missing.map(path => `\`put\`: there is no ${path}`))
  const [only, another] = sources
  const name = only !== undefined && another === undefined ? basename(only) : ''
  const args = sources.flatMap(path => [`--directory=${dirname(path)}`, `./${basename(path)}`])
  const tar = await startTar([...packing, ...args])
  const words = [to, name, laterDirectory(pi.state, cwd) ?? '']
  const { code, stderr } = await pi.guest.session.exec(command(putText, words), { input: tar.stdout })
  const packed = await tar.end(code === 0)
  if (code !== 0 || packed > 1)
    throw new HostFailure({
      symptom: `${from.join(', ')} did not arrive at ${to}: ${(stderr || tar.told()).trim() || 'tar failed'}`,
      remedy: 'check that the folder exists in the guest, and has room'
    })
}

/**
 * Copies a file or a folder of a Pi to the host: into `to` if that is a folder, else as it.
 * @throws HostFailure if it does not arrive
 */
export async function get(pi: Entered, from: string, to: string, cwd: string): Promise<void> {
  const name = posix.basename(from)
  if (name === '') throw new BadInput([`\`get\` takes a file or a folder below /, not “${from}”`])
  const target = resolve(cwd, to)
  const isFolder = statSync(target, { throwIfNoEntry: false })?.isDirectory() === true
  const parent = isFolder ? target : dirname(target)
  if (statSync(parent, { throwIfNoEntry: false })?.isDirectory() !== true)
    throw new BadInput([`\`get\`: there is no folder ${parent} on the host`])
  // What comes from a guest is unpacked in a folder of its own: nothing of the host's is in its way.
  const fresh = await mkdtemp(join(parent, '.pi-qemu-get-'))
  try {
    const tar = await startTar([
      '--extract',
      '--file=-',
      '--no-same-owner',
      '--no-same-permissions',
      `--directory=${fresh}`
    ])
    const words = [from, laterDirectory(pi.state, cwd) ?? '']
    const { code, stderr } = await pi.guest.session.exec(command(getText, words), {
      onStdout: chunk => tar.stdin.write(chunk)
    })
    tar.stdin.end()
    const unpacked = await tar.end(true)
    if (code !== 0 || unpacked !== 0)
      throw new HostFailure({ symptom: `${from} did not arrive: ${(stderr || tar.told()).trim() || 'tar failed'}` })
    const final = isFolder ? join(target, name) : target
    if (statSync(final, { throwIfNoEntry: false })?.isDirectory() === true)
      throw new HostFailure({ symptom: `${final} exists already`, remedy: 'remove it, or name another place' })
    await rename(join(fresh, name), final)
  } finally {
    await rm(fresh, { recursive: true, force: true })
  }
}
