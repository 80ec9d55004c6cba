import { run } from './run'

/** Registered under a name of our own, so that nobody else's entry is touched. */
const handlerName = 'pi-qemu-test-aarch64'

/** /usr/lib/binfmt.d/qemu-aarch64.conf of Debian's qemu-user-static; F lets it work in roots that lack the interpreter. */
const handler =
  `:${handlerName}:M:` +
  String.raw`:\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00` +
  String.raw`:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff` +
  ':/usr/bin/qemu-aarch64-static:F'

/**
 * A shell and not this process holds the handler, and for just as long as the command runs: so it goes away even if
 * the test that wanted it is killed meanwhile.
 */
const script = `set -eu
fs=/proc/sys/fs/binfmt_misc mounted=
withdraw() {
  [ ! -e $fs/${handlerName} ] || echo -1 > $fs/${handlerName}
  [ -z "$mounted" ] || umount $fs
}
trap withdraw EXIT
trap 'exit 130' HUP INT TERM
[ -e $fs/register ] || { mount -t binfmt_misc binfmt_misc $fs; mounted=yes; }
[ ! -e $fs/${handlerName} ] || echo -1 > $fs/${handlerName}
printf %s "$1" > $fs/register
shift
"$@"
`

/**
 * Runs a command (as root) while arm64 programs can be executed on this host. A handler of our own is registered for
 * that time and always withdrawn; binfmt_misc is unmounted again if it was not mounted.
 */
export async function runWithArm64(command: string, args: readonly string[]): Promise<string> {
  // The default CPU of older qemu-user computes pointer authentication the slow way.
  const env = { QEMU_CPU: 'cortex-a72', DEBIAN_FRONTEND: 'noninteractive' }
  return run('bash', ['-c', script, 'with-arm64', handler, command, ...args], { env })
}

/** Arguments with which mmdebstrap makes a small Debian: no documentation, no translations, no recommended packages. */
const small = [
  ...['man', 'doc', 'info', 'locale', 'lintian', 'bug'].map(name => `--dpkgopt=path-exclude=/usr/share/${name}/*`),
  '--aptopt=Acquire::Retries "3"',
  '--aptopt=APT::Install-Recommends "false"'
]

export interface DebianRequest {
  readonly suite: string
  readonly packages: readonly string[]
  /** Tar archive (`*.tar`) or folder to write. */
  readonly out: string
}

/** An installed Debian arm64 root file system. `finish` are shell lines run at its end, `$1` being the root. */
export async function installDebianArm64(
  request: DebianRequest & { readonly finish: readonly string[] }
): Promise<void> {
  const { suite, packages, out, finish } = request
  await runWithArm64('mmdebstrap', [
    ...['--mode=root', '--variant=minbase', '--architectures=arm64', `--include=${packages.join(',')}`],
    // That check knows no handler but Debian's own.
    '--skip=check/qemu',
    ...small,
    ...finish.map(line => `--customize-hook=${line}`),
    ...[suite, out]
  ])
}

/** Debian arm64 packages and what they depend on, unpacked into a folder: nothing of it is run. */
export async function unpackDebianArm64({ suite, packages, out }: DebianRequest): Promise<void> {
  await run('mmdebstrap', [
    ...['--mode=root', '--variant=extract', '--architectures=arm64', `--include=${packages.join(',')}`],
    ...small,
    ...[suite, out]
  ])
}
