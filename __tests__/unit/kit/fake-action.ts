import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const definition = `
name: fake
inputs:
  image: { description: an image, default: mini }
  memory-size: { description: a number for YAML, default: 512 }
  with space: { description: odd, default: '' }
  token: { description: from the job, default: '\${{ github.token }}' }
  run: { description: JavaScript for main, required: true }
  cleanup: { description: JavaScript for post, default: '' }
outputs:
  answer: { description: what main found }
runs: { using: node24, main: dist/main/index.js, post: dist/post/index.js }
`

const prelude = `
const fs = require('node:fs')
const save = (name, key, value) => fs.appendFileSync(process.env[name], key + '<<END_1\\n' + value + '\\nEND_1\\n')
`

/** An action whose main and post are what its inputs `run` and `cleanup` say. Returns its folder. */
export async function fakeAction(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-action-'))
  await writeFile(join(folder, 'action.yml'), definition)
  for (const [name, input] of [
    ['main', 'RUN'],
    ['post', 'CLEANUP']
  ] as const) {
    await mkdir(join(folder, 'dist', name), { recursive: true })
    await writeFile(join(folder, 'dist', name, 'index.js'), `${prelude}eval(process.env.INPUT_${input})\n`)
  }
  return folder
}
