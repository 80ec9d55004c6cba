import { keysFile, reseedFile } from '../images'
import { shellQuote } from '../guest/script'

/** What runs in the guest around a snapshot; for any POSIX shell, busybox included. */

/**
 * Waits until the guest has booted to its end, then makes it ready to stand still: what a login needs is in memory, the
 * disk is written, and what must not be the same in two guests is gone. The status says whether there is a network.
 */
export function settleText(): string {
  return `if command -v systemctl >/dev/null 2>&1; then systemctl is-system-running --wait >/dev/null 2>&1; fi
tries=0
until grep -q '^[^I][^[:space:]]*[[:space:]]00000000' /proc/net/route; do
  tries=$((tries + 1)); [ $tries -lt 120 ] || { echo 'no default route'; exit 1; }; sleep 0.25
done
# The first sign of life after a continuation is an SSH login: have its programs read by then.
for program in /usr/sbin/sshd /usr/lib/openssh/sshd-session; do
  [ -x $program ] && $program -t >/dev/null 2>&1
done
# A login waits for the user's own systemd.
for id in 0 1000; do
  getent passwd $id >/dev/null 2>&1 && systemctl start user@$id.service >/dev/null 2>&1
done
rm -f /var/lib/systemd/random-seed
sync
exit 0
`
}

export interface Revival {
  /** ms since 1970. */
  readonly clock: number
  /** Random bytes of this run's own. */
  readonly seed: Buffer
  /** Files in the guest that hold the keys of a run, and what goes into them. */
  readonly keys: readonly { readonly path: string; readonly content: Buffer }[]
}

/** What {@link reviveText} ends with if it fails: a status that no set-up has. */
export const notRevived = 97

/**
 * Makes a continued guest one of this run: its clock, its random numbers, its keys; then SSH starts. The keys
 * overwrite their places on the disk, as they would have been written there before a boot.
 */
export function reviveText({ clock, seed, keys }: Revival): string {
  const seconds = (clock / 1000).toFixed(3)
  const steps = [
    // busybox sets whole seconds only.
    `{ date -u -s @${seconds} || date -u -s @${Math.round(clock / 1000)}; } >/dev/null 2>&1`,
    `printf %s ${seed.toString('base64')} > /dev/urandom`,
    reseedFile,
    // Opened for reading and writing a file keeps its blocks.
    ...keys.map(({ path, content }) => `printf '${octal(content)}' 1<> ${shellQuote(path)}`),
    `echo > ${keysFile}`
  ]
  return steps.map(step => `${step} || exit ${notRevived}\n`).join('')
}

/** Any bytes, as printf(1) takes them. */
function octal(content: Buffer): string {
  return Array.from(content, byte => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}
