import { boardNames } from '../boards'
import { containerDefinitions, containerListInputs } from './container-definitions'
import { debugDefinitions } from './debug-definitions'
import { define, type Definition } from './define'
import { networkDefinitions } from './network-definitions'
import { reportDefinitions } from './report-definitions'
import { userDefinitions } from './user-definitions'

export type { Definition } from './define'

/** Inputs that take several values, one per line; on the command line the flag is repeated. */
export const listInputs: readonly string[] = [
  ...containerListInputs,
  ...['copy-out', 'disks', 'env', 'files', 'overlays', 'ports', 'qemu-cpu', 'sync-exclude']
]

/**
 * Every input, once: action.yml, `pi-qemu --help` and the README's table are checked against this. A flag of the
 * command line has the input's name.
 */
export const definitions = [
  define(
    'mode',
    'system|user',
    'system',
    "`system` boots the image on an emulated board. `user` does not boot: programs of the image run on the host's kernel, each emulated by itself, with much less to wait for."
  ),
  define(
    'image',
    'IMAGE',
    'mini-arm64',
    'What to boot: a name with a tag (`raspios-lite-arm64:bookworm`, `debian-armhf:trixie`, `mini-arm64`), an http(s) URL or a file (raw, `.xz`, `.gz`, `.zst`, `.zip`, `.qcow2`), or `none` for a bare `kernel`.'
  ),
  define(
    'image-sha256',
    'HEX',
    '',
    'SHA-256 of the image file as downloaded. Default: `<url>.sha256`, if the server has it.'
  ),
  define(
    'catalog-url',
    'URL',
    '',
    "List of images that names are looked up in, in the form of Raspberry Pi's imager. Default: Raspberry Pi's own."
  ),
  define(
    'board',
    'BOARD',
    '',
    `The emulated board: ${boardNames.map(name => `\`${name}\``).join(', ')}. Default: the first of them that can run the image.`
  ),
  define('cpu', 'MODEL', '', "CPU model, by QEMU's names. Only on `virt`; a Pi has what it has."),
  define('memory', 'MIB', '', 'Memory in MiB, or with a suffix (`2G`). Only on `virt`.'),
  define('cpus', 'N', '', 'Number of CPUs, 1 to 8. Only on `virt`.'),
  define(
    'clock',
    'host|icount',
    '',
    "The guest's time follows the `host`'s, or the instructions executed (`icount`: slower, but no time-outs on a slow host). Default: `host`."
  ),
  define(
    'firmware',
    'uefi',
    '',
    '`uefi` starts whatever boot loader the image has, as a generic cloud image needs it. Only on `virt`.'
  ),
  define(
    'qemu',
    'auto|host|private|FILE',
    'auto',
    "Which QEMU: the `host`'s, a `private` one (Debian stable's, kept apart from the host), or a program. `auto`: the host's if it can do the board, else a private one."
  ),
  ...userDefinitions,
  define('run', 'SCRIPT', '', 'The script to run in the Pi. Without it the Pi is only booted.'),
  define(
    'shell',
    'SHELL',
    '',
    'Shell for `run`: a command, or a form with `{0}` for the script file, as in workflows. Default: `bash -e`, or `sh -e` where there is no bash.'
  ),
  define('user', 'NAME', '', 'Guest user who runs the script. Default: `pi` where it exists, else `root`.'),
  define(
    'working-directory',
    'DIR',
    '',
    "Where the script starts. Relative to the workspace. Default: the workspace, or the user's home with `sync: none`."
  ),
  define(
    'env',
    'NAME[=VALUE]',
    '',
    'Environment of the script, one per line: `NAME=value`, or `NAME` to pass the variable on; `inherit-github` passes on all `GITHUB_*` that are no secrets.'
  ),
  define(
    'prepare',
    'SCRIPT',
    '',
    'Script that root runs in the Pi once (`apt-get install …`): what it changes becomes part of the prepared image. It runs again when it, or the image, changes.'
  ),
  define(
    'prepare-board',
    'BOARD',
    '',
    'Board on which `prepare` runs; `virt` is faster. Default: the board of the run.'
  ),
  define(
    'sync',
    'both|in|out|live|none',
    'both',
    'The workspace appears in the guest under the same path. `in`: changes stay there; `out`: it starts empty; `live`: the folder itself is shared (only on `virt`); `none`: not at all.'
  ),
  define(
    'sync-exclude',
    'PATTERN',
    '',
    'Paths that stay on the host, one pattern per line as in .gitignore (`node_modules`, `build/**`, `*.o`).'
  ),
  define(
    'sync-gitignore',
    'true|false',
    'false',
    'Leave on the host what the `.gitignore` files of the workspace name.'
  ),
  define(
    'copy-out',
    'PATTERN',
    '',
    'Files of the guest to bring into the workspace after the script, one absolute path or pattern per line (`/var/log/*.log`).'
  ),
  define(
    'ports',
    'HOST:GUEST[/udp]',
    '',
    'Ports of the guest to reach on 127.0.0.1, one per line: `host:guest` or `host:guest/udp`.'
  ),
  ...networkDefinitions,
  define('append', 'ARGS', '', 'More kernel arguments.'),
  define('kernel', 'FILE', '', "Kernel to boot instead of the image's own."),
  define('initrd', 'FILE', '', "Initramfs instead of the image's own."),
  define('dtb', 'FILE', '', "Device tree instead of the image's own."),
  define(
    'overlays',
    'NAME',
    '',
    'Device tree overlays to apply, one per line: names of `.dtbo` files on the boot partition (as in `dtoverlay=`), or files.'
  ),
  define(
    'disks',
    'FILE[:FORMAT]',
    '',
    'Further disks of the guest, one per line: `file`, or `file:raw` / `file:qcow2`. Writable: the guest may change them.'
  ),
  define(
    'expect',
    'REGEXP',
    '',
    'Only with `image: none`: the run succeeds once the serial console shows this. Default: once the guest switches itself off.'
  ),
  define('qemu-args', 'ARGS', '', 'More arguments for QEMU, split at blanks; quotes group.'),
  define(
    'provision',
    'auto|none',
    'auto',
    '`auto` prepares the image for an unattended login, offline and on a copy. `none` leaves it as it is; then `ssh-key` is needed.'
  ),
  define(
    'password',
    'TEXT',
    '',
    'Password of `user`, for SSH and the console. Default: none; keys are the only way in.'
  ),
  define('hostname', 'NAME', '', "The guest's host name. Default: the image's."),
  define(
    'first-boot',
    'skip|run',
    'skip',
    "`skip` leaves out the image's own first-boot steps (resizing, new keys, wizard). `run` lets them happen, reboots included, before the script."
  ),
  define(
    'disk-size',
    'SIZE',
    '',
    "Grow the disk and the root file system to this (`8G`), offline. Default: the image's size."
  ),
  define(
    'files',
    'HOST:GUEST[:MODE]',
    '',
    'Files to put into the image before it boots, one per line: `host-path:guest-path` or `host-path:guest-path:0755`.'
  ),
  define('ssh-key', 'FILE', '', 'Private key that the image already accepts for `user`. Only with `provision: none`.'),
  define(
    'cache',
    'auto|off|read-only',
    'auto',
    'Prepared images: `auto` keeps and reuses them (in a workflow also in the Actions cache), `read-only` saves nothing there, `off` prepares anew.'
  ),
  define(
    'cache-key-suffix',
    'TEXT',
    '',
    'Part of the key of what is cached: change it, and all is prepared anew (a date, say, for new packages each week).'
  ),
  define(
    'cache-max-size',
    'SIZE',
    '20G',
    'Limit for what is cached on this machine; what was not used for the longest time goes first.'
  ),
  define(
    'snapshot',
    'auto|off',
    'auto',
    '`auto` keeps the booted Pi, memory and all, and continues from there in later runs; only on `virt`. `off` boots each time.'
  ),
  define(
    'boot',
    'fast|full',
    'fast',
    '`fast` leaves out what does no good in an emulator (units that wait, update or index); `full` boots all that the image has.'
  ),
  define(
    'storage',
    'auto|sd|usb',
    'auto',
    "Where a Pi's disk is: in the card slot (`sd`) or on USB. `auto`: the faster one."
  ),
  define('boot-timeout', 'TIME', '10m', 'How long SSH may take to answer (`90s`, `10m`).'),
  define('run-timeout', 'TIME', '', 'How long the script may run (`90s`, `2h`). Default: no limit.'),
  define('keep-running', 'true|false', 'false', 'Leave the Pi up for later steps, until the job ends.'),
  define(
    'name',
    'NAME',
    'pi',
    'With `keep-running`: name of the Pi, and of its command in later steps (`shell: pi {0}`). Several Pis in one job need one each.'
  ),
  define('save-image', 'FILE', '', 'Write the changed disk here: `.img` (raw), `.img.xz`, `.img.zst` or `.qcow2`.'),
  ...debugDefinitions,
  ...reportDefinitions,
  ...containerDefinitions
] as const satisfies readonly Definition[]

export type InputName = (typeof definitions)[number]['name']

/** What the user wrote, by input name; absent and empty mean the same. */
export type RawInputs = Partial<Record<InputName, string>>
