import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ext4 } from '../../../src/images/ext4'
import { assembleImage } from '../../../src/images/mini/assemble'
import { makeOverlay } from '../../../src/images/overlay'
import { inspectDisk } from '../../../src/images/partitions'
import { provisioning } from '../../../src/images/provision'
import { quietLogin } from '../../../src/images/provision/quiet-login'
import { saveDisk } from '../../../src/images/save'
import type { Journal } from '../../../src/journal'
import type { Log } from '../../../src/report/log'
import { preparedImage, rootFacts } from '../samples'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const quiet = (): undefined => undefined
const log: Log = {
  ...{ info: quiet, warn: quiet, error: quiet, debug: quiet, group: quiet, endGroup: quiet, progress: quiet }
}

/** As Debian has it. */
const rules = [
  '@include common-session',
  'session    optional     pam_motd.so  motd=/run/motd.dynamic',
  'session    optional     pam_motd.so noupdate',
  '# session  optional     pam_motd.so',
  'session    optional     pam_mail.so standard noenv # [1]',
  ''
].join('\n')

describe('a login by SSH', () => {
  test('makes no message of the day, and shows what there is', () => {
    const [file] = quietLogin(rootFacts({ texts: { '/etc/pam.d/sshd': rules } })).replaced ?? []
    expect(file).toEqual({
      path: '/etc/pam.d/sshd',
      before: rules,
      after: rules.replace('motd=/run/motd.dynamic', 'motd=/run/motd.dynamic noupdate')
    })
  })

  test('is left alone where there is nothing to change, and with `boot: full`', () => {
    for (const text of [undefined, '', '@include common-auth\n', 'session optional pam_motd.so noupdate\n'])
      expect(quietLogin(rootFacts({ texts: text === undefined ? {} : { '/etc/pam.d/sshd': text } }))).toEqual({})
    expect(provisioning(rootFacts({ texts: { '/etc/pam.d/sshd': rules } }), 'pi', { boot: 'full' }).replaced).toEqual(
      []
    )
  })
})

test('a saved image has its own files back, but for those that the guest has changed', async () => {
  const workDir = scratch.fresh()
  const [bootDir, rootDir] = [join(workDir, 'boot'), join(workDir, 'root')]
  for (const folder of [bootDir, join(rootDir, 'etc')]) mkdirSync(folder, { recursive: true })
  writeFileSync(join(bootDir, 'cmdline.txt'), 'x\n')
  writeFileSync(join(rootDir, 'etc/ours'), 'what we wrote\n')
  writeFileSync(join(rootDir, 'etc/theirs'), 'what the guest wrote\n')
  const disk = join(workDir, 'disk.img')
  const size = { bootMiB: 40, rootMiB: 16, diskId: '00000001', ownedByRoot: true }
  await assembleImage({ bootDir, rootDir, out: disk, workDir, ...size })
  const layout = await inspectDisk(disk)
  const text = { before: 'as it was\n', after: 'what we wrote\n' }
  const image = preparedImage({
    ...{ disk, layout, diskSize: 60 * 1024 * 1024 },
    replaced: ['/etc/ours', '/etc/theirs', '/etc/gone'].map(path => ({ path, ...text }))
  })
  const keys = { slots: {} } as unknown as Parameters<typeof makeOverlay>[1]
  await makeOverlay(image, keys, workDir, 'disk.qcow2')
  const target = { path: join(workDir, 'saved.img'), format: 'raw' } as const
  const journal = { folder: workDir, record: quiet } as unknown as Journal
  await saveDisk({
    image,
    disk: { path: join(workDir, 'disk.qcow2'), format: 'qcow2' },
    keys: keys.slots,
    target,
    journal,
    log
  })

  const saved = new Ext4(target.path, layout.root.offset)
  const texts = ['/etc/ours', '/etc/theirs', '/etc/gone'].map(path => saved.readText(path))
  expect(await Promise.all(texts)).toEqual(['as it was\n', 'what the guest wrote\n', undefined])
})
