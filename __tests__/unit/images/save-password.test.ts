import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { shadowField } from '../../../src/images/accounts'
import { Ext4 } from '../../../src/images/ext4'
import { hashPassword, placeholder, slotLengths } from '../../../src/images/keys'
import { assembleImage } from '../../../src/images/mini/assemble'
import { makeOverlay } from '../../../src/images/overlay'
import { inspectDisk } from '../../../src/images/partitions'
import { provisioning } from '../../../src/images/provision'
import { saveDisk } from '../../../src/images/save'
import type { Journal } from '../../../src/journal'
import type { Log } from '../../../src/report/log'
import { preparedImage, rootFacts } from '../samples'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const quiet = (): undefined => undefined
const log: Log = {
  info: quiet,
  warn: quiet,
  error: quiet,
  debug: quiet,
  group: quiet,
  endGroup: quiet,
  progress: quiet
}

test("a saved image has the run's password nowhere: not in its slot, not where a program wrote /etc/shadow anew", async () => {
  const workDir = scratch.fresh()
  const [bootDir, rootDir] = [join(workDir, 'boot'), join(workDir, 'root')]
  mkdirSync(join(rootDir, 'etc'), { recursive: true })
  mkdirSync(bootDir)
  writeFileSync(join(bootDir, 'cmdline.txt'), 'x\n')
  const shadow = 'root:*:1::::::\npi:!:1::::::\n'
  writeFileSync(join(rootDir, 'etc/shadow'), shadow)
  const disk = join(workDir, 'disk.img')
  const size = { bootMiB: 40, rootMiB: 16, diskId: '00000001', ownedByRoot: true }
  await assembleImage({ bootDir, rootDir, out: disk, workDir, ...size })
  const layout = await inspectDisk(disk)
  const root = new Ext4(disk, layout.root.offset)

  // As prepared: the slot, and what two programs of the guest would leave of it.
  const facts = rootFacts({ texts: { '/etc/shadow': shadow } })
  const { edits, slots } = provisioning(facts, 'pi')
  const slot = slots.find(({ content }) => content === 'password')
  await root.apply(
    edits.filter(({ path }) => path === '/etc/shadow'),
    workDir
  )
  const runs = await root.locate('/etc/shadow', slot?.start ?? 0, slotLengths.password)
  const hash = await hashPassword('secret')
  const copies = (text: string): string => text.replace('pi:!', `pi:${hash}`)
  await root.apply([{ kind: 'file', path: '/etc/shadow-', content: copies(shadow), mode: 0o600 }], workDir)
  const image = preparedImage({ disk, layout, diskSize: 60 * 1024 * 1024, slots: [{ content: 'password', runs }] })
  const keys = { slots: { password: Buffer.from(hash) } } as unknown as Parameters<typeof makeOverlay>[1]
  await makeOverlay(image, keys, workDir, 'disk.qcow2')
  expect(readFileSync(disk).includes(`pi:${hash}`)).toBe(true) // in /etc/shadow-, as a program would have left it

  const target = { path: join(workDir, 'saved.img'), format: 'raw' } as const
  const journal = { folder: workDir, record: quiet } as unknown as Journal
  const overlay = join(workDir, 'disk.qcow2')
  await saveDisk({ image, disk: { path: overlay, format: 'qcow2' }, keys: keys.slots, target, journal, log })

  expect(readFileSync(target.path).includes(hash)).toBe(false)
  const saved = new Ext4(target.path, layout.root.offset)
  for (const path of ['/etc/shadow', '/etc/shadow-'])
    expect(shadowField((await saved.readText(path)) ?? '', 'pi')).toBe(placeholder('password'))
  expect(
    execFileSync('e2fsck', ['-f', '-n', `${target.path}?offset=${layout.root.offset}`], {
      encoding: 'utf8',
      stdio: 'pipe'
    })
  ).toContain('files')
})
