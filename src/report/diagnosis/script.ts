import { emulationSymptoms } from './emulation'
import type { Symptom } from './types'

/** What the output of a script shows of packages, networks and clocks. */
const distributionSymptoms: readonly Symptom[] = [
  {
    id: 'clock',
    shows: '`Release file … is not valid yet`, `certificate is not yet valid`',
    pattern: /is not valid yet \(invalid for another|certificate (?:has expired or )?is not yet valid/,
    symptom: 'the clock of the guest is behind',
    cause:
      'a Pi has no clock of its own; it was set when the guest came up, and the script, or a program of the image, changed it',
    remedy: 'set it first: `date -u -s @SECONDS`; leave `fake-hwclock` and time servers of the image alone'
  },
  {
    id: 'release-expired',
    shows: '`Release file … is expired`',
    pattern: /Release file for \S+ is expired/,
    symptom: 'the lists of packages have expired',
    cause: 'the release of the image is not maintained any more, or the clock of the guest is ahead',
    remedy: 'take a newer image, or `apt-get -o Acquire::Check-Valid-Until=false update`'
  },
  {
    id: 'no-release-file',
    shows: '`does not have a Release file`, `404  Not Found [IP: …]`',
    pattern: /The repository '[^']*' (?:does not have|no longer has) a Release file|404\s+Not Found \[IP:/,
    symptom: 'the package server does not have what the image asks for',
    cause: "the image's lists of packages are old, or its release has moved to an archive",
    remedy: 'run `apt-get update` first; for old releases use legacy.raspbian.org or archive.debian.org'
  },
  {
    id: 'apt-signature',
    shows: '`NO_PUBKEY`, `At least one invalid signature was encountered`',
    pattern: /NO_PUBKEY|At least one invalid signature was encountered|The repository '[^']*' is not signed/,
    symptom: 'apt does not accept the signature of a package server',
    cause:
      'the keys in the image are older than those of the server; or the clock is wrong, or /tmp is full or not writable',
    remedy: 'take a newer image, or install its keyring packages anew; compare `date`, and look at `df /tmp`'
  },
  {
    id: 'apt-lock',
    shows: '`Could not get lock /var/lib/dpkg/lock`',
    pattern: /Could not get lock \/var\/(?:lib|cache)\/(?:dpkg|apt)/,
    symptom: 'another program has the packages locked',
    cause: 'the image updates itself when it boots',
    remedy: 'use `boot: fast`, which leaves that out, or `apt-get -o DPkg::Lock::Timeout=300 …`'
  },
  {
    id: 'image-pull-limit',
    shows: '`toomanyrequests: You have reached your … pull rate limit`',
    pattern: /toomanyrequests|reached your (?:unauthenticated )?pull rate limit/,
    symptom: 'Docker Hub refuses to hand out more images',
    cause: 'it counts what an address pulls, and the runners share theirs',
    remedy: 'log in first (`docker login`), or pull from another registry; this action itself pulls nothing from there'
  },
  {
    id: 'no-network',
    shows: '`Temporary failure in name resolution`, `Could not resolve host`, `Network is unreachable`',
    pattern:
      /Temporary failure (?:in name resolution|resolving)|Could not resolve host|Network is unreachable|: bad address '/,
    symptom: 'the script does not reach the network',
    cause:
      'the host itself has no network or no name server, or the name does not exist; QEMU passes the connections on',
    remedy:
      'try the same on the host; the host is 10.0.2.2 to a guest, and a proxy of the host has to be named there (`env`)'
  },
  {
    id: 'ping',
    shows: '`0 received, 100% packet loss`',
    pattern: /\d+ packets? transmitted, 0 (?:packets )?received/,
    symptom: '`ping` got no answer',
    cause:
      "QEMU's network passes TCP and UDP on; ICMP only where the host lets every user ping (`net.ipv4.ping_group_range`)",
    remedy: 'look with TCP instead: `curl`, `nc -z HOST PORT`'
  }
]

/** What it shows of the machine, and of what an image lacks. */
const systemSymptoms: readonly Symptom[] = [
  {
    id: 'out-of-memory',
    shows:
      '`Out of memory: Killed process …` (on the console), `Cannot allocate memory`, `Killed signal terminated program cc1`',
    pattern:
      /Out of memory: Kill|oom-kill:|invoked oom-killer|Cannot allocate memory|virtual memory exhausted|std::bad_alloc|Killed signal terminated program/,
    symptom: 'the memory of the guest did not suffice',
    cause: 'a Pi has as much as the real board: 512 MiB, 1 or 2 GiB',
    remedy: 'do less at once (`make -j1`), add swap in the script, or use `board: virt` with `memory: 4G`',
    alsoOnConsole: true
  },
  {
    id: 'disk-full',
    shows: '`No space left on device`',
    pattern: /No space left on device|\bENOSPC\b|You don't have enough free space in/,
    symptom: 'a file system in the guest is full',
    cause: 'images have little free space: their own first boot, which grows them, is left out',
    remedy: '`disk-size: 8G` makes it larger; /tmp and /run are memory'
  },
  {
    id: 'read-only',
    shows: '`Read-only file system`',
    pattern: /Read-only file system/,
    symptom: 'a file system in the guest cannot be written',
    cause: 'the image mounts it so (an overlay, say), or the kernel did after an error of the disk',
    remedy: 'look at `mount` and at the serial log; write to the workspace or /tmp'
  },
  {
    id: 'docker-in-guest',
    shows: "`can't initialize iptables table`, `failed to create NAT chain DOCKER`, `cgroup mountpoint does not exist`",
    pattern:
      /failed to create NAT chain|iptables\S* .*(?:[Tt]able does not exist|Protocol not supported)|can't initialize iptables table|cgroup mountpoint does not exist|Devices cgroup isn't mounted|failed to mount cgroup|cannot enter cgroupv2|your kernel does not support .*cgroup/i,
    symptom: 'Docker does not find in the kernel what it needs',
    cause:
      "modules of netfilter are missing, or the memory cgroup is off, as on every Pi; in user mode the kernel is the host's",
    remedy:
      "use the image's own kernel on a Pi board, or `board: virt`; `append: cgroup_enable=memory`; not `mode: user`"
  },
  {
    id: 'docker-daemon',
    shows: '`Cannot connect to the Docker daemon`',
    pattern: /Cannot connect to the Docker daemon|Is the docker daemon running/,
    symptom: 'Docker is not up',
    cause: 'its service did not start, is still starting on the slow board, or the user is not in the group `docker`',
    remedy:
      '`systemctl status docker`; wait for it: `timeout 120 sh -c "until docker info; do sleep 2; done"`; `user: root`'
  },
  {
    id: 'kernel-module',
    shows: '`modprobe: … Module … not found`, `not found in modules.dep`',
    pattern:
      /modprobe: FATAL: Module \S+ not found|modprobe: (?:can't (?:load|open)|module \S+ not found in modules\.dep)/,
    symptom: 'the kernel has no such module',
    cause:
      "the kernel is not the one that the image has modules for: that of `kernel`, of `board: virt`, or the host's in user mode",
    remedy: "use a Pi board without `kernel`, which boots the image's own"
  },
  {
    id: 'no-systemd',
    shows: '`System has not been booted with systemd as init system`, `Failed to connect to bus`',
    pattern:
      /System has not been booted with systemd|Failed to connect to (?:system scope )?bus: (?:No such file|Host is down)/,
    symptom: 'systemd does not run',
    cause: 'in user mode and in containers nothing is booted; the `mini` images have another init',
    remedy: 'use `mode: system` with a whole image, or start the program itself'
  },
  {
    id: 'pi-hardware',
    shows:
      '`Cannot determine SOC peripheral base address`, `Not running on a RPi!`, `VCHI initialization failed`, `/dev/gpiomem`, `/dev/i2c-1`',
    pattern:
      /Cannot determine SOC peripheral base address|Not running on a RPi|This module can only be run on a Raspberry Pi|VCHI initialization failed|Can't open device file: \/dev\/vc|No access to \/dev\/mem|[Nn]o cameras available|No such file or directory: '\/dev\/(?:gpio|i2c|spi|mem|vc|video)|Could not open file [`'"]?\/dev\/(?:i2c|spi)/,
    symptom: 'the program looks for hardware of a Pi that is not there',
    cause: 'GPIO headers, I2C, SPI, camera and the VideoCore are not emulated, or not so that this library knows them',
    remedy:
      'test without it: `GPIOZERO_PIN_FACTORY=mock`, the `i2c-stub` and `gpio-mockup` modules, or a fake in the program'
  },
  {
    id: 'account-unavailable',
    shows: '`This account is currently not available`',
    pattern: /This account is currently not available/,
    symptom: 'the user may not log in',
    cause: 'the image gives it a shell that lets nobody in, as the Raspberry Pi OS of 2026-04-13 did to `pi`',
    remedy: 'use `user: root`, or a newer image'
  },
  {
    id: 'password-expired',
    shows: '`Password change required but no TTY available`',
    pattern: /Password change required but no TTY|[Yy]our password has expired|password change is required/,
    symptom: 'the image wants a new password first',
    cause: 'the password of the user has expired',
    remedy: 'use `password`, or `provision: auto`'
  },
  {
    id: 'sudo-password',
    shows: '`sudo: a password is required`, `sudo: a terminal is required to read the password`',
    pattern: /sudo: a (?:terminal|password) is required/,
    symptom: '`sudo` asks for a password',
    cause:
      'images since April 2026 ask for one; with `provision: none`, or for another user than `user`, that stays so',
    remedy: 'use `provision: auto`, or `user: root`'
  },
  {
    id: 'shell-dialect',
    shows: '`Illegal option -o pipefail`, `[[: not found`, `Syntax error: "(" unexpected`, `Bad substitution`',
    pattern:
      /Illegal option -o pipefail|\[\[: not found|[Ss]yntax error: (?:"\(" unexpected|unexpected "\(")|: [Bb]ad substitution/,
    symptom: 'the script is written for bash, and another shell runs it',
    cause: 'the image has no bash, or the script starts with `sh`',
    remedy: 'use `shell: bash`, and an image that has it; the `mini` images have not'
  },
  {
    id: 'command-not-found',
    shows: '`not found`, `command not found` after the name of a program',
    pattern:
      /^.*\S: (?:line \d+: )?\S+: (?:command )?not found$|^\S+: command not found$|executable file not found in \$PATH/,
    symptom: 'a program is not in the image',
    cause: 'lite and minimal images have few, the `mini` images only busybox; or PATH does not lead to it',
    remedy: 'install it in `prepare`, whose result is cached'
  }
]

/**
 * What the output of a script that failed shows, and the console of its guest meanwhile. Most telling first: one trouble often
 * leads to a message of a later row.
 */
export const scriptSymptoms: readonly Symptom[] = [...emulationSymptoms, ...distributionSymptoms, ...systemSymptoms]
