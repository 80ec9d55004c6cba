import { masksOnDisk, uefiFor } from '../../../src/images/uefi'
import { usedSize } from '../../../src/images/partitions'
import { provisioning } from '../../../src/images/provision'
import { rootFacts } from '../samples'

const facts = rootFacts({ family: 'debian', units: new Set(['ssh.service', 'apt-daily.timer', 'cloud-init.service']) })

test('started by firmware, units are masked on disk, where nothing of the image is replaced, and taken out again', () => {
  const { edits, kernelArguments, created, notes } = provisioning(facts, 'root', { firmware: 'uefi' })
  expect(kernelArguments).toEqual([])
  for (const unit of ['apt-daily.timer', 'cloud-init.service']) {
    const path = `/etc/systemd/system.control/${unit}`
    expect(edits).toContainEqual({ kind: 'symlink', path, target: '/dev/null' })
    expect(created).toContain(path)
  }
  expect(notes).toContain('Masked on disk: cloud-init.service')
  expect(notes).toContain('Masked (boot: fast): apt-daily.timer')
})

test('started by us, those of the first boot are masked by kernel arguments, and the disk keeps them', () => {
  const { edits, kernelArguments } = provisioning(facts, 'root')
  expect(kernelArguments).toContain('systemd.mask=cloud-init.service')
  expect(edits.filter(({ path }) => path.includes('cloud-init'))).toEqual([])
})

test('the folder comes before the links in it', () => {
  expect(masksOnDisk(['a.service']).map(({ kind }) => kind)).toEqual(['folder', 'symlink'])
})

test('there is no firmware for armel', () => {
  expect(uefiFor('arm64').loader).toBe('BOOTAA64.EFI')
  expect(() => uefiFor('armel')).toThrow(/arm64.* only; the image is armel/)
})

test("a GPT's size includes its backup behind the last usable sector, an MBR's ends with its last partition", () => {
  const partitions = [{ node: 'a1', start: 2048, size: 2048, type: 'x', uuid: 'U' }]
  const table = (more: object): string =>
    JSON.stringify({ partitiontable: { id: '0x1', label: 'x', partitions, ...more } })
  expect(usedSize(table({ lastlba: 20_446 }))).toBe(20_480 * 512)
  expect(usedSize(table({}))).toBe(4096 * 512)
})
