import { baseKey, familyOfBoard, preparedKey } from '../../../src/images'
import type { BaseIngredients, PrepareIngredients } from '../../../src/images/layer-keys'
import { boards } from '../../../src/boards'
import { whyNot } from '../../../src/layers'
import { hasOwnBoard, machineIngredients, prepareInputs } from '../../../src/prepare/inputs'
import { parseInputs, type RawInputs } from '../../../src/inputs'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()

const base: BaseIngredients = {
  ...{ sha256: 'a'.repeat(64), provision: 'auto', user: undefined, hostname: undefined },
  ...{ firstBoot: 'skip', diskSize: undefined, firmware: undefined, suffix: undefined }
}
const upper: PrepareIngredients = { base: baseKey(base), script: 'true\n', family: 'virt', machine: [] }

describe('keys of the layers', () => {
  test.each<[string, Partial<BaseIngredients>]>([
    ['image', { sha256: 'b'.repeat(64) }],
    ['provisioning', { provision: 'none' }],
    ['user', { user: 'pi' }],
    ['host name', { hostname: 'pi' }],
    ['first boot', { firstBoot: 'run' }],
    ['disk size', { diskSize: 1024 }],
    ['firmware', { firmware: 'uefi' }],
    ['suffix', { suffix: '2026-11' }]
  ])('another %s is another image, with `prepare` and without', (_, change) => {
    const other = baseKey({ ...base, ...change })
    expect(other).not.toBe(upper.base)
    expect(preparedKey({ ...upper, base: other })).not.toBe(preparedKey(upper))
  })

  test.each<[string, Partial<PrepareIngredients>]>([
    ['byte of the script', { script: 'true \n' }],
    ['board family', { family: 'raspi' }],
    ['kernel argument', { machine: ['append=quiet'] }]
  ])('another %s is another upper layer', (_, change) => {
    expect(preparedKey({ ...upper, ...change })).not.toBe(preparedKey(upper))
  })

  test('the same is the same, and a layer is not its base', () => {
    expect([baseKey({ ...base }), preparedKey({ ...upper })]).toEqual([upper.base, preparedKey(upper)])
    expect(preparedKey(upper)).not.toBe(upper.base)
  })

  test.each([
    ['raspi3b', 'raspi'],
    ['raspi0', 'raspi'],
    ['virt', 'virt'],
    ['versatilepb', 'versatilepb'],
    [undefined, 'default']
  ] as const)('board %s is of the family %s', (board, family) => {
    expect(familyOfBoard(board)).toBe(family)
  })
})

describe('why no layer with `prepare` was found', () => {
  const wanted = { base: 'base', script: 'one', family: 'virt' }
  test.each([
    [[], '`prepare` is new or changed, or its image is'],
    [[{ ...wanted, script: 'two' }], '`prepare` changed'],
    [[{ ...wanted, family: 'raspi' }], '`prepare` ran on raspi only, and not yet on virt'],
    [[{ ...wanted, base: 'other', script: 'two' }], '`prepare` is new or changed, or its image is']
  ])('%j: %s', (known, reason) => {
    expect(whyNot(wanted, known)).toBe(reason)
  })
})

describe('the machine on which `prepare` runs', () => {
  const parsed = (raw: RawInputs): ReturnType<typeof parseInputs> =>
    parseInputs({ sync: 'none', image: 'mini-arm64', ...raw }, { env: {}, workspace: '/work/project' })

  test('it gets nothing of the user that may be a secret, and root as its user', () => {
    const file = join(scratch.fresh(), 'secret')
    writeFileSync(file, 'hush')
    const inputs = parsed({
      ...{ prepare: 'true', run: 'false', env: 'TOKEN=hush', password: 'hush', board: 'virt', ports: '8080:80' },
      ...{ files: `${file}:/etc/secret`, disks: `${file}:raw`, user: 'pi', 'working-directory': '/srv', memory: '2G' }
    })
    const own = prepareInputs(inputs, boards.virt)
    expect(JSON.stringify(own)).not.toContain('hush')
    expect(JSON.stringify(own)).not.toContain(file)
    expect(own).toMatchObject({ run: 'true', user: 'root', ports: [], workingDirectory: undefined, memoryMiB: 2048 })
  })

  test('a board of its own gets nothing that was meant for the run’s', async () => {
    const inputs = parsed({
      ...{ prepare: 'true', board: 'raspi3b', 'prepare-board': 'virt', append: 'quiet', 'qemu-args': '-s' }
    })
    expect(hasOwnBoard(inputs)).toBe(true)
    expect(prepareInputs(inputs, boards.virt)).toMatchObject({ board: 'virt', append: undefined, qemuArgs: [] })
    expect(await machineIngredients(inputs)).toEqual([])
  })

  test('on the run’s own board kernel arguments and files are part of the key', async () => {
    const kernel = join(scratch.fresh(), 'kernel')
    writeFileSync(kernel, 'one')
    const inputs = parsed({ prepare: 'true', board: 'virt', append: 'quiet', kernel })
    const before = await machineIngredients(inputs)
    expect(before).toEqual(['append=quiet', expect.stringMatching(/^kernel=[0-9a-f]{64}$/)])
    writeFileSync(kernel, 'two')
    expect(await machineIngredients(inputs)).not.toEqual(before)
  })

  test('first boot and `prepare` do not go together', () => {
    expect(() => parsed({ prepare: 'true', board: 'raspi3b', 'first-boot': 'run' })).toThrow(/`prepare`.*first-boot/)
  })
})
