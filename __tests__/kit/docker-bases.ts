import { needs } from './needs'
import { contentHash, kitCache, madeOnce } from './once'
import { run } from './run'

/** Debian's architectures that base images are made of, and Docker's names for them. */
export const basePlatforms = { arm64: 'linux/arm64', armhf: 'linux/arm/v7', armel: 'linux/arm/v5' } as const
export type BaseArchitecture = keyof typeof basePlatforms

/** What apt and a shell need; what is essential in Debian, less what a container has no use for. */
const packages = [
  ...[
    'base-files',
    'base-passwd',
    'bash',
    'coreutils',
    'dash',
    'debianutils',
    'diffutils',
    'dpkg',
    'findutils',
    'grep',
    'gzip'
  ],
  ...['hostname', 'init-system-helpers', 'libc-bin', 'mawk', 'passwd', 'perl-base', 'sed', 'tar', 'usr-is-merged'],
  ...['util-linux', 'apt', 'debian-archive-keyring']
]

/**
 * Shell lines; `$1` is the root. The packages are unpacked and not installed, since their scripts would have to be emulated, for
 * minutes. So dpkg is told that they are there, and the little that the scripts would have made is made by hand.
 */
const finish = `set -eu
status=$1/var/lib/dpkg/status
: > "$status"
for deb in "$1"/var/cache/apt/archives/*.deb; do
  name=$(dpkg-deb --field "$deb" Package)
  { echo "Package: $name"
    echo "Status: install ok installed"
    dpkg-deb --field "$deb" | sed '/^Package:/d; /^Description:/,$d'
    echo "Description: $name"
    echo; } >> "$status"
  list=$name
  [ "$(dpkg-deb --field "$deb" Multi-Arch)" != same ] || list=$name:$(dpkg-deb --field "$deb" Architecture)
  dpkg-deb --fsys-tarfile "$deb" | tar t | sed 's,^[.]/,/,; s,/$,,; s,^$,/.,' > "$1/var/lib/dpkg/info/$list.list"
  rm "$deb"
done
cp "$1/usr/share/base-passwd/passwd.master" "$1/etc/passwd"
cp "$1/usr/share/base-passwd/group.master" "$1/etc/group"
echo "_apt:x:42:65534::/nonexistent:/usr/sbin/nologin" >> "$1/etc/passwd"
ln -s mawk "$1/usr/bin/awk"
rm -rf "$1/var/lib/apt/lists"/* "$1/var/cache/apt"/*.bin "$1/usr/share"/doc/* "$1/usr/share"/man/* "$1/usr/share"/locale/*`

/** A tar archive with a small Debian 12 in which `apt-get install` works. No program of it has run. */
export async function baseRoot(architecture: BaseArchitecture): Promise<string> {
  const args = [
    ...['--mode=root', '--variant=extract', `--include=${packages.join(',')}`, '--aptopt=Acquire::Retries "3"'],
    ...['--aptopt=APT::Install-Recommends "false"', '--skip=cleanup', '--skip=check/qemu', '--skip=chroot/mount'],
    // armhf's lists of updates contradict their signed index at times: the release as it was made is enough here.
    `--setup-hook=sed -i '/-security\\|-updates/d' "$1"/etc/apt/sources.list`,
    '--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr',
    `--extract-hook=${finish}`
  ]
  return madeOnce(`${kitCache}/docker-base-${architecture}-${contentHash([args])}.tar`, async unfinished => {
    await needs(['mmdebstrap', 'debian-archive-keyring'])
    await run('mmdebstrap', [...args, '--format=tar', `--architectures=${architecture}`, 'bookworm', unfinished])
  })
}

/** A tar archive with a Debian 13 of this host's own architecture, installed as `debian:trixie-slim` is. */
export async function nativeRoot(): Promise<string> {
  const args = ['--mode=root', '--variant=minbase', '--format=tar', '--aptopt=Acquire::Retries "3"']
  return madeOnce(`${kitCache}/docker-base-native-${contentHash([process.arch, args])}.tar`, async unfinished => {
    await needs(['mmdebstrap', 'debian-archive-keyring'])
    await run('mmdebstrap', [...args, 'trixie', unfinished])
  })
}
