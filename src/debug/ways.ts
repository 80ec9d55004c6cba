import type { Debugging } from '../inputs'

/** A Pi that somebody may want to look into. */
export interface Standing {
  readonly debugging: Debugging
  /** File for `ssh -F`; undefined where nobody is told of one. */
  readonly sshConfig: string | undefined
  /** Whether the guest let us in: otherwise its SSH server may never answer. */
  readonly letUsIn: boolean
  /** Socket of the serial console. */
  readonly serialSocket: string
  readonly monitorSocket: string
}

/** How to get into a Pi, a line each: commands for a terminal of this host, and addresses. */
export function waysIn({ debugging, sshConfig, letUsIn, serialSocket, monitorSocket }: Standing): readonly string[] {
  const { gdb, monitor, vnc } = debugging
  const rows: readonly (readonly [way: string, how: string | undefined])[] = [
    [letUsIn ? 'SSH' : 'SSH, if its server answers by now', sshConfig && `ssh -F ${sshConfig} pi`],
    ['serial console, Ctrl-] leaves it', `socat -,rawer,escape=0x1d UNIX-CONNECT:${serialSocket}`],
    ['display', vnc === undefined ? undefined : `VNC on 127.0.0.1:${vnc}`],
    ['gdb', gdb === undefined ? undefined : `target remote 127.0.0.1:${gdb.port}`],
    ["QEMU's monitor", monitor ? `socat - UNIX-CONNECT:${monitorSocket}` : undefined]
  ]
  return rows.flatMap(([way, how]) => (how === undefined ? [] : [`${way}: ${how}`]))
}
