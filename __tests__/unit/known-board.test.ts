import type { BoardName } from '../../src/boards'
import type { RawInputs } from '../../src/inputs'
import { parseInputs } from '../../src/inputs'
import { knownBoard, toolsFor } from '../../src/plan'

const inputs = (raw: RawInputs): ReturnType<typeof parseInputs> =>
  parseInputs(raw, { env: {}, workspace: '/work/project' })

test.each<[string, RawInputs, BoardName | undefined]>([
  ['the one asked for', { board: 'raspi4b' }, 'raspi4b'],
  ["the default of a named image's architecture", { image: 'mini-armhf' }, 'raspi3b'],
  ['the default of an armel image', { image: 'debian-armel:bookworm' }, 'raspi0'],
  ['that of a catalogue name that tells the architecture', { image: 'raspios-lite-arm64:bookworm' }, 'raspi3b'],
  ['the one asked for, whatever the image', { image: 'https://example.org/x.img', board: 'virt' }, 'virt'],
  ['none yet for an image that could be anything', { image: 'https://example.org/x.img' }, undefined]
])('the board that is known before the image: %s', (_title, raw, name) => {
  expect(knownBoard(inputs(raw))?.name).toBe(name)
})

test('QEMU is not among the tools that every run demands of the host', () => {
  expect(toolsFor(inputs({}))).toContain('qemu-img')
  expect(toolsFor(inputs({}))).not.toContain('qemu-system-aarch64')
})
