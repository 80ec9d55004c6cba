/** What a run changes on the host to put its guest on the host's network; with the run's journal it can be undone. */
export interface TapNetwork {
  readonly kind: 'network'
  /** The tap, made by the run and named after it. */
  readonly device: string
  /** Interface by which the host answers for the guest. */
  readonly uplink: string
  /** Our end of the tap. */
  readonly gateway: string
  readonly guest: string
  /** Whether the uplink passed no packets on before the first guest came, and shall not after the last. */
  readonly enablesForwarding: boolean
}

/** Interfaces of ours: prefix, and the 12 digits of the run; 15 letters are the most that Linux takes. */
export const tapPattern = /^pq-[0-9a-f]{12}$/

/** The tap of a run, by the run's name. */
export function tapName(runId: string): string {
  return runId.replace(/^run-/, 'pq-')
}
