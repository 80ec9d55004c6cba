// The peer in user mode: a root file system entered by hand, as the actions do that mount an image and chroot into it.
import { readFile } from 'node:fs/promises'
import { run } from './host.mjs'

/**
 * Copy of the image (which is not to be written), loop device, mounts, handler, chroot, and all of it back. In namespaces, so
 * that the bench leaves this host as it was; that costs the peer next to nothing (a few ms).
 */
const byHand = `set -eu
image=$1 at=$2 copy=$3 handler=$4; shift 4
disk=$image
if [ "$copy" = yes ]; then disk=$at/copy.img; cp --sparse=always "$image" "$disk"; fi
mkdir -p $at/root
device=$(losetup --find --show --offset "$1" --sizelimit "$2" "$disk"); shift 2
trap 'losetup -d $device' EXIT
mount -n $device $at/root
for name in dev dev/pts sys proc; do mount -n --bind /$name $at/root/$name; done
mount -n -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc 2>/dev/null || true
printf %s "$handler" > /proc/sys/fs/binfmt_misc/register
name=\${handler#:}; name=\${name%%:*}
trap 'echo -1 > /proc/sys/fs/binfmt_misc/$name; losetup -d $device' EXIT
mount -n --bind /etc/resolv.conf $at/root/etc/resolv.conf 2>/dev/null || true
chroot $at/root "$@"
umount -n -R $at/root
rm -f $at/copy.img`

/** The line with which Debian's qemu-user-static registers its handler: no CPU is named in it. */
async function plainHandler() {
  const line = (await readFile('/usr/lib/binfmt.d/qemu-aarch64.conf', 'utf8')).trim()
  // A name of the bench's own, since Debian's may be registered.
  return line.replace(/^:[^:]*:/, ':bench-aarch64:')
}

/** Runs a command in an image's root file system by hand; returns what it printed. */
export async function chrootByHand(session, image, command, { copy = true } = {}) {
  const { partitiontable } = JSON.parse(await run('sfdisk', ['--json', image]))
  const { start, size } = partitiontable.partitions[1]
  const at = session.path('chroot')
  const place = [image, at, copy ? 'yes' : 'no', await plainHandler(), String(start * 512), String(size * 512)]
  await run('mkdir', ['-p', at])
  return run('unshare', ['--mount', 'sh', '-c', byHand, 'by-hand', ...place, ...command])
}
