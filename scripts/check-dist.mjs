// Fails if dist/ is not what `npm run build` makes of src/.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const fresh = mkdtempSync(join(tmpdir(), 'pi-qemu-dist-'))
try {
  execFileSync(process.execPath, [join(root, 'scripts/build.mjs'), fresh], { stdio: 'inherit' })
  const stale = ['main', 'post', 'cli']
    .flatMap(entry => ['index.js', 'licenses.txt'].map(name => join(entry, name)))
    .filter(name => !readFileSync(join(root, 'dist', name)).equals(readFileSync(join(fresh, name))))
  if (stale.length > 0) {
    console.error(`not built from src/: ${stale.join(', ')}; run npm run build and commit dist/`)
    process.exitCode = 1
  }
} finally {
  rmSync(fresh, { recursive: true, force: true })
}
