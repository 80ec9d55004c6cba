import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { homeFolders } from '../../../src/host/paths'
import { nameFault } from '../../../src/inputs/pi-name'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

/** A home with a Pi that is up. */
function withPi(name: string): { readonly env: Record<string, string>; readonly bin: string } {
  const root = scratch.fresh()
  const bin = join(root, 'runs/run-000000000001/bin')
  mkdirSync(bin, { recursive: true })
  writeFileSync(join(bin, name), '')
  return { env: { PI_QEMU_HOME: root }, bin }
}

const fault = (name: string, env: Readonly<Record<string, string>>): string | undefined =>
  nameFault(name, homeFolders(env), env)

test('a program of the host is not hidden', () => {
  expect(fault('ssh', { PATH: '/usr/local/bin:/usr/bin' })).toMatch(
    /is “ssh”, which is a program of this host \(\/usr\/bin\/ssh\)/
  )
  expect(fault('pi', { PATH: '/usr/local/bin:/usr/bin' })).toBeUndefined()
})

test('a Pi of the same job is found by its PATH, one of a terminal by its run', () => {
  const { env, bin } = withPi('one')
  expect(fault('one', { ...env, PATH: '' })).toMatch(/a Pi of that name is up already/)
  expect(fault('one', { ...env, PATH: bin, GITHUB_ACTIONS: 'true' })).toMatch(/a Pi of that name is up already/)
  // Another job on the same machine may have one of that name.
  expect(fault('one', { ...env, PATH: '/usr/bin', GITHUB_ACTIONS: 'true' })).toBeUndefined()
  expect(fault('two', { ...env, PATH: bin })).toBeUndefined()
})
