/** Pure: which addresses a guest may have, from what `ip -json` says of this host. */

/** A row of `ip -json -4 route show default`. */
export interface Route {
  readonly dev?: string
  readonly gateway?: string
  readonly metric?: number
}

/** A row of `ip -json -4 address show`; one without an address is empty. */
export interface Interface {
  readonly ifname?: string
  readonly addr_info?: readonly { readonly local?: string; readonly prefixlen?: number; readonly scope?: string }[]
}

/** The interface by which this host is on its network, and its address there. */
export interface Uplink {
  readonly device: string
  readonly address: string
  readonly prefix: number
  readonly gateway: string | undefined
}

/** A network of four addresses out of the uplink's: one for our end of the tap, one for the guest. */
export interface GuestNet {
  readonly gateway: string
  readonly guest: string
}

/** Length of the prefix of a {@link GuestNet}. */
export const guestPrefix = 30

const size = 2 ** (32 - guestPrefix)

/** An IPv4 address as a number. */
export function toNumber(address: string): number {
  return address.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0)
}

/** A number as an IPv4 address. */
export function toAddress(number: number): string {
  return [24, 16, 8, 0].map(shift => Math.floor(number / 2 ** shift) % 256).join('.')
}

/** The interface of the default route with the lowest metric; without a route the only one with an address. */
export function uplinkOf(routes: readonly Route[], interfaces: readonly Interface[]): Uplink | undefined {
  const [best] = [...routes].sort((a, b) => (a.metric ?? 0) - (b.metric ?? 0))
  const all = interfaces.flatMap(({ ifname, addr_info }) =>
    (addr_info ?? []).flatMap(({ local, prefixlen, scope }) =>
      ifname !== undefined && local !== undefined && prefixlen !== undefined && scope === 'global'
        ? [{ device: ifname, address: local, prefix: prefixlen }]
        : []
    )
  )
  const found = best === undefined ? (all.length === 1 ? all[0] : undefined) : all.find(row => row.device === best.dev)
  return found && { ...found, gateway: best?.gateway }
}

/**
 * Networks for a guest, the best first. They lie at the upper end of the uplink's: addresses are given out from the
 * lower. Where the search starts depends on the host's own address, so that neighbours do not begin with the same.
 * @param taken addresses of this host
 */
export function guestNets(
  { address, prefix, gateway }: Uplink,
  taken: readonly string[],
  count = 8
): readonly GuestNet[] {
  const total = 2 ** (32 - prefix)
  const first = Math.floor(toNumber(address) / total) * total
  // The lowest block has the network's own address in it, and the highest the one for all.
  const usable = Math.floor(total / size) - 2
  const used = new Set([address, ...taken, ...(gateway === undefined ? [] : [gateway])].map(blockOf))
  const start = toNumber(address) - first
  const found: GuestNet[] = []
  for (let step = 0; step < usable && found.length < count; step++) {
    const base = first + total - size * (2 + ((start + step) % usable))
    if (!used.has(base)) found.push({ gateway: toAddress(base + 1), guest: toAddress(base + 2) })
  }
  return found
}

const blockOf = (address: string): number => Math.floor(toNumber(address) / size) * size
