import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packagesFor, type ToolName } from '../../src/host/tools'
import { parseInputs, type RawInputs } from '../../src/inputs'
import { toolsFor } from '../../src/plan'

const repository = join(__dirname, '../..')
const text = (name: string): string => readFileSync(join(repository, name), 'utf8')

/** What the container image installs. */
const installed = new Set(/apt-get install([^&]*)/.exec(text('Dockerfile'))?.[1]?.match(/(?<=\s)[a-z][\w.+-]+/g))

/** In the container nobody may install anything, so whatever a boot may want has to be there. */
test.each<[string, RawInputs]>([
  ['the built-in image', {}],
  ['an image of any form', { image: 'https://example.org/image' }],
  ['a saved image, .xz', { 'save-image': '/tmp/a.img.xz' }],
  ['a saved image, .zst', { 'save-image': '/tmp/a.img.zst' }],
  ['a password, and a larger disk', { password: 'x', 'disk-size': '8G' }],
  ['an address of its own', { network: 'tap' }]
])('the container image has the tools for %s', (_, raw) => {
  const always: readonly ToolName[] = ['qemu-system-aarch64', 'ssh']
  const wanted = packagesFor([...always, ...toolsFor(parseInputs(raw, { env: {}, workspace: '/work' }))])
  expect(wanted.filter(name => !installed.has(name))).toEqual([])
})

test('of the repository, only the bundle that it runs goes into it', () => {
  const rules = text('.dockerignore')
    .split('\n')
    .filter(line => line !== '' && !line.startsWith('#'))
  expect(rules).toEqual(['*', '!dist/cli'])
  expect(text('Dockerfile').match(/^COPY .*$/gm)).toEqual(['COPY dist/cli/ /opt/pi-qemu/'])
})
