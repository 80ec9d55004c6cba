import { keysFile, reseedFile } from '../images'
import { shellQuote } from '../guest/script'

/** What runs in the guest around a snapshot; for any POSIX shell, busybox included. */

/** A file in the guest that holds a key of the run, and what goes into it. */
export interface KeyPlace {
  readonly path: string
  readonly content: Buffer
}

export interface SettleRequest {
  /** Keys with which the SSH server starts. */
  readonly throwaway: readonly KeyPlace[]
  /** What is in their places from then on. */
  readonly empty: readonly KeyPlace[]
}

/**
 * Waits until the guest has booted to its end, then makes it ready to stand still: its SSH server is up, with keys that
 * nobody will ever see, what a login needs is in memory, the disk is written, and what must not be the same in two guests
 * is gone. The status says whether there is a network.
 */
export function settleText({ throwaway, empty }: SettleRequest): string {
  return `if command -v systemctl >/dev/null 2>&1; then systemctl is-system-running --wait >/dev/null 2>&1; fi
tries=0
until grep -q '^[^I][^[:space:]]*[[:space:]]00000000' /proc/net/route; do
  tries=$((tries + 1)); [ $tries -lt 120 ] || { echo 'no default route'; exit 1; }; sleep 0.25
done
# The mini system's server is quick to start, and reads its key only then.
if [ ! -x ${miniServer} ]; then
${all(throwaway)}  echo > ${keysFile}
  tries=0
  until [ -s ${pidFile} ]; do
    tries=$((tries + 1)); [ $tries -lt 240 ] || { echo 'SSH does not start'; exit 1; }; sleep 0.25
  done
${all(empty)}fi
# The first sign of life after a continuation is an SSH login: have its programs read by then.
for program in /usr/sbin/sshd ${sessionServer}; do
  [ -x $program ] && $program -t >/dev/null 2>&1
done
# A login waits for the user's own systemd, where PAM starts one; elsewhere it would only fail.
if grep -qs '^session.*pam_systemd' /etc/pam.d/*; then
  for id in 0 1000; do
    getent passwd $id >/dev/null 2>&1 && systemctl start user@$id.service >/dev/null 2>&1
  done
fi
rm -f /var/lib/systemd/random-seed
sync
exit 0
`
}

/** Starts SSH in the mini system. */
const miniServer = '/etc/rc.d/50-ssh'
/** Where OpenSSH notes that it listens. */
const pidFile = '/run/sshd.pid'
/** OpenSSH's program for a connection, since 9.8; before, it was the server itself, which read its keys anew. */
const sessionServer = '/usr/lib/openssh/sshd-session'

/** Opened for reading and writing a file keeps its blocks. */
const put = ({ path, content }: KeyPlace): string => `printf '${octal(content)}' 1<> ${shellQuote(path)}`

const all = (places: readonly KeyPlace[]): string => places.map(place => `  ${put(place)}\n`).join('')

export interface Revival {
  /** Random bytes of this run's own. */
  readonly seed: Buffer
  readonly keys: readonly KeyPlace[]
}

/** What {@link reviveText} ends with if it fails: a status that no set-up has. */
export const notRevived = 97

/**
 * Makes a continued guest one of this run: its random numbers and its keys, which overwrite their places on the disk, as
 * they would have been written there before a boot. All that a login does not need, the clock say, is left to the set-up
 * that follows: each program that starts is a tenth of a second.
 */
export function reviveText({ seed, keys }: Revival): string {
  const steps = [
    `printf %s ${seed.toString('base64')} > /dev/urandom`,
    reseedFile,
    ...keys.map(put),
    `if [ -x ${miniServer} ]; then (umask 022; cd /; exec ${miniServer}); fi`,
    `if [ -x ${sessionServer} ]; then read -r pid < ${pidFile}; kill -HUP $pid; fi`
  ]
  return steps.map(step => `${step} || exit ${notRevived}\n`).join('')
}

/** Any bytes, as printf(1) takes them. */
function octal(content: Buffer): string {
  return Array.from(content, byte => `\\${byte.toString(8).padStart(3, '0')}`).join('')
}
