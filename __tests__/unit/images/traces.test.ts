import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { Ext4 } from '../../../src/images/ext4'
import { makeExt4 } from '../../../src/images/make-ext4'
import { forgetting, machineIdBefore, traces } from '../../../src/images/traces'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
jest.setTimeout(60_000)

/** A file system with these files. */
async function system(files: Readonly<Record<string, string>>): Promise<Ext4> {
  const [tree, file] = [scratch.fresh(), join(scratch.fresh(), 'root.img')]
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(tree, path)), { recursive: true })
    writeFileSync(join(tree, path), text)
  }
  await makeExt4({ file, size: 16 * 1024 * 1024, label: 'root', from: tree })
  return new Ext4(file, 0)
}

const own = {
  '/etc/machine-id': '',
  '/etc/ssh/sshd_config': 'config',
  '/etc/ssh/ssh_host_rsa_key': "the image's own",
  '/var/log/wtmp': 'before'
}

test('what a boot and its packages leave behind is taken out, and what was there before stays', async () => {
  const before = await system(own)
  const after = await system({
    ...own,
    '/etc/machine-id': '0123456789abcdef0123456789abcdef\n',
    '/etc/ssh/ssh_host_ed25519_key': 'new',
    '/etc/ssh/ssh_host_ed25519_key.pub': 'new',
    '/var/lib/systemd/random-seed': 'seed',
    '/var/lib/systemd/credential.secret': 'secret',
    '/var/lib/systemd/timers': 'no trace',
    '/var/lib/NetworkManager/secret_key': 'secret',
    '/var/lib/dhcp/dhclient.eth0.leases': 'lease',
    '/var/log/journal/0123456789abcdef/system.journal': 'lines',
    '/var/log/auth.log': 'new',
    '/var/log/dpkg.log': 'of use',
    '/var/cache/apt/archives/jq_1.6_arm64.deb': 'package',
    '/var/cache/apt/archives/lock': '',
    '/root/.bash_history': 'typed'
  })
  const edits = await forgetting(after, before)
  expect(edits.map(({ path }) => path).sort()).toEqual([
    '/etc/ssh/ssh_host_ed25519_key',
    '/etc/ssh/ssh_host_ed25519_key.pub',
    '/root/.bash_history',
    '/var/cache/apt/archives/jq_1.6_arm64.deb',
    '/var/lib/NetworkManager/secret_key',
    '/var/lib/dhcp/dhclient.eth0.leases',
    '/var/lib/systemd/credential.secret',
    '/var/lib/systemd/random-seed',
    '/var/log/auth.log',
    '/var/log/journal/0123456789abcdef/system.journal'
  ])
  await after.apply([...edits, ...(await machineIdBefore(before))], scratch.fresh())
  expect(await after.readText('/etc/machine-id')).toBe('')
  expect(await forgetting(after, before)).toEqual([])
  expect(await after.size('/etc/ssh/ssh_host_rsa_key')).toBe("the image's own".length)
})

test('an image that has an ID of its own keeps it', async () => {
  expect(await machineIdBefore(await system({ '/etc/machine-id': 'abc\n' }))).toEqual([])
  expect(await machineIdBefore(await system({ '/etc/hostname': 'mini\n' }))).toEqual([])
})

test('each row says why', () => {
  for (const { why } of traces) expect(why.length).toBeGreaterThan(10)
})
