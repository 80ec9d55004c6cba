import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { tool } from '../../../src/host/exec'
import { inNamespace, keepsHandlersApart } from '../../../src/host/foreign'
import { packRoot } from '../../../src/host/foreign-scripts'
import { debianIdentity } from '../../../src/images/debian/build'
import { Ext4 } from '../../../src/images/ext4'
import { makeExt4 } from '../../../src/images/make-ext4'

test('an image serves for one month, and for one name', () => {
  const identity = (name: string, day: string): string => debianIdentity(name, new Date(`${day}T12:00:00Z`))
  const first = identity('debian-arm64:bookworm', '2026-11-01')
  expect(identity('debian-arm64:bookworm', '2026-11-30')).toBe(first)
  expect(identity('debian-arm64:bookworm', '2026-12-01')).not.toBe(first)
  expect(identity('debian-arm64:trixie', '2026-11-01')).not.toBe(first)
})

const whereAble = process.getuid?.() === 0 && keepsHandlersApart(release()) ? test : test.skip

whereAble('an archive with owners and device nodes becomes a file system, with our files over it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'pi-qemu-test-root-'))
  try {
    const [tree, additions, scratch] = ['tree', 'additions', 'scratch'].map(name => join(folder, name)) as [
      string,
      string,
      string
    ]
    for (const dir of [join(tree, 'dev'), join(tree, 'etc'), join(additions, 'etc'), scratch])
      await mkdir(dir, { recursive: true })
    await writeFile(join(tree, 'etc/theirs'), 'theirs\n')
    await tool('chown', ['33:44', join(tree, 'etc/theirs')])
    await tool('chmod', ['4755', join(tree, 'etc/theirs')])
    await tool('mknod', [join(tree, 'dev/null'), 'c', '1', '3'])
    const archive = join(folder, 'root.tar')
    await tool('tar', ['--create', '--file', archive, '-C', tree, '.'])
    await writeFile(join(additions, 'etc/ours'), 'ours\n', { mode: 0o600 })
    await tool('chown', ['1000:1000', join(additions, 'etc/ours')])

    const file = join(folder, 'root.img')
    await makeExt4({
      ...{ file, size: 16 * 1024 * 1024, label: 'rootfs', from: join(scratch, 'root') },
      mke2fs: args =>
        inNamespace({
          scratch,
          command: ['bash', '-c', packRoot, 'script', scratch, archive, additions, 'mke2fs', ...args]
        })
    })
    const volume = new Ext4(file, 0)
    expect(await volume.readText('/etc/ours')).toBe('ours\n')
    expect(await volume.list('/dev')).toEqual([])
    const attributes = (path: string): Promise<string> => tool('debugfs', ['-R', `stat ${path}`, file])
    expect(await attributes('/etc/theirs')).toMatch(/Mode: +04755 [\s\S]*User: +33 +Group: +44 /)
    expect(await attributes('/etc/ours')).toMatch(/Mode: +0644 [\s\S]*User: +0 +Group: +0 /)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
})
