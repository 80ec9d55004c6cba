import type { Edit } from '../ext4'
import type { RootFacts } from '../families'
import { enable } from './login'
import { folder, type Part } from './part'
import { reseedProgram } from './reseed'

/** Kernel argument with which a guest boots up to where SSH would start, and then waits for the host's word. */
export const holdArgument = 'pi-qemu.hold'

/** Name of the virtio-serial port on which the host speaks. */
export const channelName = 'pi-qemu'

/** Programs in the guest: what listens there, and what reseeds the kernel's random numbers. */
const agentFile = `${folder}/agent`
export const reseedFile = `${folder}/reseed`

/** Written once a held guest has its keys: then SSH starts. */
export const keysFile = '/run/pi-qemu/keys'

/**
 * What a guest needs to be continued from a snapshot of its memory: an agent that takes the keys of the run from the
 * host, over a channel that no one else has, and an SSH server that does not start before. Without the kernel argument
 * none of it ever runs. Their folder is made with the keys' places.
 */
export function holding(facts: RootFacts): Part {
  const reseed = reseedProgram(facts.architecture)
  if (reseed === undefined || (facts.family !== 'mini' && facts.units.size === 0)) return {}
  const unit = facts.units.has('ssh.service') ? 'ssh.service' : 'sshd.service'
  const programs: readonly Edit[] = [
    { kind: 'file', path: agentFile, content: agent, mode: 0o755 },
    { kind: 'file', path: reseedFile, content: reseed, mode: 0o755 }
  ]
  if (facts.family === 'mini') return { edits: programs }
  return {
    edits: [
      ...programs,
      { kind: 'file', path: '/etc/systemd/system/pi-qemu-agent.service', content: agentUnit, mode: 0o644 },
      ...enable('pi-qemu-agent.service', 'multi-user.target', '/etc/systemd/system'),
      { kind: 'file', path: '/etc/systemd/system/pi-qemu-keys.path', content: keysPath(unit), mode: 0o644 },
      ...enable('pi-qemu-keys.path', 'multi-user.target', '/etc/systemd/system'),
      { kind: 'folder', path: `/etc/systemd/system/${unit}.d`, mode: 0o755 },
      { kind: 'file', path: `/etc/systemd/system/${unit}.d/pi-qemu.conf`, content: waitForKeys, mode: 0o644 }
    ],
    notes: ['Snapshots: an agent that takes the keys of a run, only where the kernel is told to hold']
  }
}

/**
 * A shell whose script comes over the channel, and whose answers go there: to take a message in, nothing has to be
 * started, which takes an emulated CPU a good part of a second. The host's last word leaves `over` behind.
 */
const agent = `#!/bin/sh
# Written by pi-qemu. Waits for the host on the virtio channel "${channelName}".
modprobe -q virtio_console
mkdir -p /run/pi-qemu
tries=0 port=
while [ -z "$port" ] && [ $tries -lt 120 ]; do
  for dir in /sys/class/virtio-ports/*; do
    [ "$(cat "$dir/name" 2>/dev/null)" = ${channelName} ] && port=/dev/\${dir##*/}
  done
  [ -n "$port" ] || sleep 0.25
  tries=$((tries + 1))
done
exec 3<>"$port" || exit 1
cd /run/pi-qemu || exit 1
umask 077
until [ -e over ]; do
  sh -s <&3
  sleep 0.05
done
`

/**
 * Has later boots of the same guest start SSH by themselves, though the kernel is told to hold: nobody will be there with
 * keys, and they are on its disk by now.
 */
export const letGoText = `rm -f ${agentFile} /etc/systemd/system/pi-qemu-agent.service /etc/systemd/system/pi-qemu-keys.path \\
  /etc/systemd/system/ssh.service.d/pi-qemu.conf /etc/systemd/system/sshd.service.d/pi-qemu.conf
`

/** systemd looks itself: asking it through a program would take an emulated CPU half a second. */
const keysPath = (unit: string): string => `# Written by pi-qemu.
[Unit]
Description=Starts SSH once the keys of this run are there
ConditionKernelCommandLine=${holdArgument}

[Path]
PathChanged=${keysFile}
Unit=${unit}

[Install]
WantedBy=multi-user.target
`

const agentUnit = `# Written by pi-qemu.
[Unit]
Description=Takes the keys of this run from the host
ConditionKernelCommandLine=${holdArgument}

[Service]
ExecStart=/bin/sh ${agentFile}
KillMode=process

[Install]
WantedBy=multi-user.target
`

/** One of the two conditions has to be true. */
const waitForKeys = `# Written by pi-qemu: a guest that waits for its keys starts no SSH server before.
[Unit]
ConditionKernelCommandLine=|!${holdArgument}
ConditionPathExists=|${keysFile}

[Service]
# It would check a configuration that is known to be good, and take as long as the start itself.
ExecStartPre=
`
