import { define, type Definition } from './define'

/** Inputs about how the guest is reached, and by whom. */
export const networkDefinitions = [
  define(
    'network',
    'user|tap',
    'user',
    "`user` is NAT by QEMU, with SSH and `ports` forwarded. `tap` puts the guest on this host's (or container's) own network with an address of its own; it needs root, NET_ADMIN and /dev/net/tun. See docs/network.md."
  ),
  define('ssh-port', 'PORT', '', "Port on 127.0.0.1 for the guest's SSH. Default: a free one."),
  define(
    'authorized-keys',
    'FILE',
    '',
    "File with public keys that `user` and root may log in with besides the run's own, in the form of `~/.ssh/authorized_keys`."
  )
] as const satisfies readonly Definition[]
