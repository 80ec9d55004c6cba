// Bundles the three entry points into dist/, or into the folder given as argument.
import { execFileSync } from 'node:child_process'
import { chmodSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const out = resolve(process.argv[2] ?? join(root, 'dist'))
const ncc = join(root, 'node_modules/.bin/ncc')

for (const entry of ['main', 'post', 'cli']) {
  const folder = join(out, entry)
  rmSync(folder, { recursive: true, force: true })
  // Types are checked by npm run lint, for the whole project at once.
  execFileSync(
    ncc,
    [
      'build',
      join(root, `src/${entry}.ts`),
      '-o',
      folder,
      '--license',
      'licenses.txt',
      '--transpile-only',
      '--no-cache',
      '--quiet'
    ],
    { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }
  )
  // ssh2 brings a Windows program along; anything else beside the bundle would be a surprise.
  rmSync(join(folder, 'util'), { recursive: true, force: true })
  // npm links the command to it.
  if (entry === 'cli') chmodSync(join(folder, 'index.js'), 0o755)
  const extra = readdirSync(folder).filter(name => !['index.js', 'licenses.txt'].includes(name))
  if (extra.includes('pagent.exe')) rmSync(join(folder, 'pagent.exe'))
  const left = extra.filter(name => name !== 'pagent.exe')
  if (left.length > 0) throw new Error(`unexpected files in ${folder}: ${left.join(', ')}`)
}
