import { posix } from 'node:path'

/**
 * The texts that run in the guest. They are written for any POSIX shell (busybox included), and reach it over standard
 * input: nothing the user wrote is ever part of a command line.
 */

/** A word that any POSIX shell takes as it is. */
export function shellQuote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

export interface ScriptRequest {
  readonly run: string
  readonly shell: string | undefined
  readonly env: Readonly<Record<string, string>>
  /** Absolute, or undefined for the user's home. */
  readonly workingDirectory: string | undefined
  /** Shell lines that make what it expects to be there, in its folder. */
  readonly first?: string | undefined
  /** Folders that its PATH begins with. */
  readonly paths?: readonly string[] | undefined
}

/** Where a run's files lie in the guest: memory, gone at power-off. */
export function guestFolder(runId: string): string {
  return `/run/pi-qemu/${runId}`
}

/** Shells that workflows know by name, with the arguments they get there. */
const knownShells: Readonly<Record<string, string>> = {
  bash: 'bash --noprofile --norc -eo pipefail {0}',
  sh: 'sh -e {0}',
  python: 'python3 {0}',
  python3: 'python3 {0}'
}

/** The command that runs a script file, by input `shell`. The text is the user's own, for their own guest. */
export function shellCommand(shell: string | undefined, script: string): string {
  if (shell === undefined)
    return `if command -v bash >/dev/null 2>&1; then exec bash -e ${script}; else exec sh -e ${script}; fi`
  const form = (Object.hasOwn(knownShells, shell) ? knownShells[shell] : undefined) ?? shell
  return `exec ${form.includes('{0}') ? form.replaceAll('{0}', script) : `${form} ${script}`}`
}

/** What {@link exitCodes} says when our own preparation failed: a number no preparation step returns by itself. */
export const noSuchDirectory = 83

export interface SetupRequest {
  readonly folder: string
  readonly user: string
  /** ms since 1970, the host's. */
  readonly clock: number
  readonly script: ScriptRequest | undefined
  /** Whether the kernel left CPUs that are to be started. */
  readonly startCpus?: boolean
  /** Keys that may log in, too, and the files of the guest's SSH server that say so. */
  readonly authorized?: { readonly files: readonly string[]; readonly keys: readonly string[] } | undefined
  /** Volume to mount, by label, or folder of the host, by its tag, and where. */
  readonly mount: { readonly label: string; readonly path: string; readonly shared?: boolean } | undefined
}

/**
 * Run as root once after login: sets the clock, lets the user's keys in, mounts the workspace, lays down the script.
 * Everything goes in one message, since each round trip into an emulated Pi takes a good part of a second.
 */
export function setupText({ folder, user, clock, startCpus, authorized, script, mount }: SetupRequest): string {
  const lines = [
    'set -e',
    'umask 022',
    // busybox sets whole seconds only.
    `date -u -s @${(clock / 1000).toFixed(3)} >/dev/null 2>&1 || date -u -s @${Math.round(clock / 1000)} >/dev/null`,
    // The environment may hold secrets: for the user alone.
    `mkdir -p -m 700 ${folder}`
  ]
  if (startCpus === true)
    lines.push('for cpu in /sys/devices/system/cpu/cpu[1-9]*/online; do [ "$(cat $cpu)" = 1 ] || echo 1 > $cpu; done')
  if (authorized !== undefined && authorized.keys.length > 0) {
    const keys = authorized.keys.map(shellQuote).join(' ')
    lines.push(...authorized.files.map(file => `printf '%s\\n' ${keys} >> ${file}`))
  }
  if (mount !== undefined) {
    const path = shellQuote(mount.path)
    lines.push(
      `mkdir -p ${path}`,
      // A workspace under /root, say, has to be reachable for the user who runs the script.
      ...parents(mount.path).map(parent => `chmod o+x ${parent}`),
      ...(mount.shared === true ? mountShared(mount.label, path) : mountVolume(mount.label, path))
    )
  }
  if (script !== undefined) {
    const directory = script.workingDirectory === undefined ? '' : shellQuote(script.workingDirectory)
    const scriptFile = `${folder}/script`
    const start = startText(script, scriptFile, [`echo $$ > ${folder}/pid`])
    lines.push(
      ...(directory === '' ? [] : [`[ -d ${directory} ] || exit ${noSuchDirectory}`]),
      `printf %s ${shellQuote(script.run)} > ${scriptFile}`,
      `printf %s ${shellQuote(start)} > ${folder}/start`,
      `: > ${folder}/pid`,
      ...(script.first === undefined ? [] : [script.first]),
      `chown -R ${user} ${folder}`
    )
  }
  // The shell's own words: a program that starts takes an emulated Pi a twentieth of a second.
  lines.push('read -r kernel < /proc/sys/kernel/osrelease && echo "kernel: $kernel"')
  return lines.join('\n') + '\n'
}

/** The release of the guest's kernel in what {@link setupText} printed. */
export function kernelIn(output: string): string | undefined {
  return /^kernel: (\S+)$/m.exec(output)?.[1]
}

/** What a shell runs to start a script that lies in a file: its environment, its folder, its own shell. */
export function startText(
  { env, paths = [], workingDirectory, shell }: Omit<ScriptRequest, 'run'>,
  scriptFile: string,
  first: readonly string[] = []
): string {
  return [
    ...Object.entries(env).map(([name, text]) => `export ${name}=${shellQuote(text)}`),
    ...(paths.length === 0 ? [] : [`export PATH=${paths.map(shellQuote).join(':')}:"$PATH"`]),
    ...first,
    `cd ${workingDirectory === undefined ? '' : shellQuote(workingDirectory)} || exit`,
    shellCommand(shell, scriptFile)
  ].join('\n')
}

/** The folders above a path, in one word list: each program that is started costs an emulated Pi a twentieth of a second. */
function parents(path: string): readonly string[] {
  const names = posix.dirname(posix.normalize(path)).split('/').slice(1)
  const all = names.flatMap((name, at) => (name === '' ? [] : [`/${names.slice(0, at + 1).join('/')}`]))
  return all.length === 0 ? [] : [all.map(shellQuote).join(' ')]
}

function mountVolume(label: string, path: string): readonly string[] {
  return [
    // A disk on the emulated USB appears seconds after boot. udev has its label; to look for it anew takes a while.
    `device=/dev/disk/by-label/${label} tries=0; [ -e $device ] || until device=$(findfs LABEL=${label} 2>/dev/null); do tries=$((tries + 1)); [ $tries -lt 120 ] || { echo "no volume ${label}" >&2; exit 1; }; sleep 0.25; done`,
    `mount -t ext4 -o noatime "$device" ${path}`
  ]
}

/** Without a cache: what one side writes, the other reads at once. */
function mountShared(tag: string, path: string): readonly string[] {
  return [
    // Kernels before 5.17 do not load it by themselves.
    'modprobe -q 9pnet_virtio || true',
    `mount -t 9p -o trans=virtio,version=9p2000.L,msize=524288,cache=none ${tag} ${path}`
  ]
}

/** Command line that starts the script that {@link setupText} laid down; its shell becomes the user's process. */
export function startCommand(folder: string): string {
  return `exec sh ${folder}/start`
}

/** Ends the script and all that it started, politely and then not. */
export function stopText(folder: string): string {
  return [
    'tree() { for child in $(cat /proc/"$1"/task/*/children 2>/dev/null); do tree "$child"; done; echo "$1"; }',
    `pid=$(cat ${folder}/pid) && [ -n "$pid" ] || exit 0`,
    'all=$(tree "$pid")',
    'kill -TERM $all 2>/dev/null',
    'sleep 2',
    'kill -KILL $all 2>/dev/null',
    'exit 0'
  ].join('\n')
}

/** Freezes the workspace's file system, which writes it out first: so the volume on the host is whole and complete. */
export function freezeText(path: string): string {
  return `fsfreeze --freeze ${shellQuote(path)}`
}

/** @param remove a folder that is not wanted any more */
export function thawText(path: string, remove?: string): string {
  const thaw = `fsfreeze --unfreeze ${shellQuote(path)}`
  return remove === undefined ? thaw : `${thaw} && rm -rf ${shellQuote(remove)}`
}

/** Absolute working directory in the guest, where a relative one starts; undefined for where a login starts. */
export function guestDirectory(
  directory: string | undefined,
  { workspace, home }: { readonly workspace: string | undefined; readonly home: string }
): string | undefined {
  return directory === undefined ? workspace : posix.resolve(workspace ?? home, directory)
}

/**
 * Writes everything out and makes all file systems read-only at once, whatever is open on them (sysrq's emergency
 * remount): so they are clean when QEMU ends. A kernel without sysrq has at least written everything.
 */
export function settleText(): string {
  return `sync
{ echo u > /proc/sysrq-trigger; } 2>/dev/null || exit 0
tries=0
while grep -q '^/dev/[^ ]* [^ ]* [^ ]* rw[, ]' /proc/mounts && [ $tries -lt 50 ]; do tries=$((tries + 1)); sleep 0.2; done
exit 0
`
}
