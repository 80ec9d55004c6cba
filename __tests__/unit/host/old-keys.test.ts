import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fetchPackages } from '../../../src/host/packages'
import { script } from '../qemu/fake-qemu'
import { scratchFolder } from '../scratch'

const scratch = scratchFolder()
const path = process.env['PATH'] ?? ''
let bin: string
let into: string
beforeEach(() => {
  bin = scratch.fresh()
  into = join(scratch.fresh(), 'packages')
  process.env['PATH'] = `${bin}:${path}`
})
afterEach(() => {
  process.env['PATH'] = path
})

const keyring = 'usr/share/keyrings/debian-archive-keyring.gpg'
/** A mmdebstrap that can check trixie only with newer keys, and bullseye only if `bullseye` says so. */
function hostWithOldKeys({ bullseye }: { readonly bullseye: boolean }): void {
  script(
    join(bin, 'mmdebstrap'),
    `echo "$*" >> ${bin}/asked
for into; do suite=$last; last=$into; done
unknown() { echo "W: GPG error: The following signatures couldn't be verified: NO_PUBKEY 6ED0E7B82643E131" >&2; exit 25; }
mkdir -p "$into"
case "$suite $*" in
bullseye*) ${bullseye ? `mkdir -p "$into/usr/share/keyrings"; echo newer > "$into/${keyring}"` : 'unknown'} ;;
*--keyring=*) file=\${*##*--keyring=}; grep -q newer "\${file%% *}" || unknown; touch "$into/checked" ;;
*) unknown ;;
esac`
  )
}
const request = { architecture: 'amd64', suite: 'trixie', packages: ['some-package'] }
const asked = (): readonly string[] => readFileSync(join(bin, 'asked'), 'utf8').trim().split('\n')

test('a host with old keys gets newer ones out of a package that it can check, for this alone', async () => {
  hostWithOldKeys({ bullseye: true })
  await fetchPackages({ ...request, into })
  expect(readdirSync(into)).toEqual(['checked'])
  expect(asked().at(-2)).toMatch(/--include=debian-archive-keyring .*bullseye \S+packages\.keys$/)
  expect(asked().at(-1)).toMatch(
    /--keyring=\S+packages\.keys\/usr\/share\/keyrings\/debian-archive-keyring\.gpg .*trixie/
  )
  expect(existsSync(`${into}.keys`)).toBe(false)
})

test('where that cannot be checked either, nothing is taken unchecked, and the fault is that of the keys', async () => {
  hostWithOldKeys({ bullseye: false })
  await expect(fetchPackages({ ...request, into })).rejects.toMatchObject({
    outcome: 'host-failed',
    details: {
      symptom: expect.stringContaining('NO_PUBKEY') as string,
      cause: expect.stringContaining('keys') as string,
      remedy: 'install a newer debian-archive-keyring'
    }
  })
  expect(asked().some(line => line.includes('--keyring='))).toBe(false)
})

test('nothing is mounted meanwhile, which could stay behind', async () => {
  hostWithOldKeys({ bullseye: true })
  await fetchPackages({ ...request, into })
  for (const line of asked()) expect(line).toContain(' --skip=chroot/mount ')
})

test('another fault is not taken for one of the keys', async () => {
  mkdirSync(into)
  script(join(bin, 'mmdebstrap'), `echo "$*" >> ${bin}/asked; echo 'E: no network' >&2; exit 25`)
  await expect(fetchPackages({ ...request, into })).rejects.toThrow('no network')
  expect(asked().some(line => line.includes('bullseye'))).toBe(false)
})
