import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const script = join(__dirname, '../../../scripts/release-notes.mjs')
const changelog = `# Changelog

## [Unreleased]

### Added

- Not yet.

## [1.2.0] - 2031-02-03

### Added

- Something.

## [1.1.0] - 2031-01-02

- Older.

[1.2.0]: https://example.org/1.2.0
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pi-qemu-test-notes-'))
  writeFileSync(join(folder, 'CHANGELOG.md'), changelog)
})
afterEach(() => {
  rmSync(folder, { recursive: true })
})

function notes(tag: string, version: string): { status: number | null; stdout: string; stderr: string } {
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ version }))
  return spawnSync(process.execPath, [script, tag, folder], { encoding: 'utf8' })
}

test("a release's notes are its section of the changelog", () => {
  expect(notes('v1.2.0', '1.2.0')).toMatchObject({ status: 0, stdout: '### Added\n\n- Something.\n' })
  expect(notes('v1.1.0', '1.1.0')).toMatchObject({ status: 0, stdout: '- Older.\n' })
})

test.each([
  ['v1.3.0', '1.3.0', 'CHANGELOG.md has nothing about 1.3.0'],
  ['v1.2.0', '1.1.0', 'package.json has version 1.1.0, and the tag is v1.2.0'],
  ['v1', '1.2.0', '“v1” is no tag of a version'],
  ['v1.2.0-rc.1', '1.2.0', 'is no tag of a version']
])('%s of a package with version %s is no release: %s', (tag, version, why) => {
  const { status, stderr } = notes(tag, version)
  expect([status, stderr]).toEqual([1, expect.stringContaining(why)])
})
