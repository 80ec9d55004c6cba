import type { Inputs } from './index'

type Network = Pick<Inputs, 'image' | 'network' | 'ports' | 'sshPort'>

/** Faults of the inputs that say how the guest is reached. */
export function networkConflicts({ image, network, ports, sshPort }: Network): readonly string[] {
  const bare = image.kind === 'none'
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [
      network === 'tap' && ports.length > 0,
      'inputs `ports` and `network: tap` do not go together: all ports of the guest are at its own address'
    ],
    [
      network === 'tap' && sshPort !== undefined,
      "inputs `ssh-port` and `network: tap` do not go together: SSH is port 22 of the guest's own address"
    ],
    [
      sshPort !== undefined && ports.some(({ protocol, host }) => protocol === 'tcp' && host === sshPort),
      `inputs \`ssh-port\` and \`ports\` name the same port, ${sshPort ?? ''}`
    ],
    [
      bare && (network === 'tap' || sshPort !== undefined),
      `input \`${network === 'tap' ? 'network: tap' : 'ssh-port'}\` is for a system that is reached over SSH, and \`image: none\` has none`
    ]
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}
