// Adds what Raspberry Pi's catalogue lists to src/images/catalogue/trains.ts: `npm run refresh-index [-- FILE-OR-URL]`.
import { readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { format, resolveConfig } from 'prettier'
import '../bench/kit/typescript.mjs'

const { officialCatalogue } = await import('../src/inputs/index.ts')
const { readCatalogue } = await import('../src/images/catalogue/read.ts')
const { committedTrains, renderTrains, withReleases } = await import('./trains.ts')

const source = process.argv[2] ?? officialCatalogue
const file = join(dirname(dirname(fileURLToPath(import.meta.url))), 'src/images/catalogue/trains.ts')

async function text() {
  if (!/^https?:/.test(source)) return readFile(source, 'utf8')
  // Raspberry Pi's server refuses clients without a name.
  const response = await fetch(source, { headers: { 'User-Agent': 'pi-qemu-action' } })
  if (!response.ok) throw new Error(`${source} answered ${response.status}`)
  return response.text()
}

const { releases } = readCatalogue(await text())
const current = await readFile(file, 'utf8')
const rows = withReleases(committedTrains, releases)
const fresh = await format(renderTrains(rows, current), { ...(await resolveConfig(file)), filepath: file })
if (fresh !== current) await writeFile(file, fresh)
console.log(`${releases.length} releases in ${source}; the index ${fresh === current ? 'has them' : 'was changed'}`)
