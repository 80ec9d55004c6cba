import { explain, recognise, troubleshooting } from './diagnosis'

/** What `outcome` says; every run ends in exactly one of these. */
export type Outcome = 'success' | 'script-failed' | 'boot-failed' | 'timeout' | 'bad-input' | 'host-failed'

export interface FailureDetails {
  /** What was seen. */
  readonly symptom: string
  /** Why it most likely happened. */
  readonly cause?: string | undefined
  /** What the reader can do about it. */
  readonly remedy?: string | undefined
  /** File with the full story. */
  readonly log?: string | undefined
  /** Anchor in docs/troubleshooting.md. */
  readonly see?: string | undefined
}

/** Any failure we can explain. Thrown where the cause is known, formatted once by {@link describeFailure}. */
export abstract class Failure extends Error {
  abstract readonly outcome: Outcome
  readonly details: FailureDetails

  constructor(details: FailureDetails, options?: ErrorOptions) {
    super(details.symptom, options)
    this.name = new.target.name
    this.details = details
  }
}

/** The request itself is wrong; nothing was started. */
export class BadInput extends Failure {
  readonly outcome = 'bad-input'

  /** @param faults one sentence each: the input's name, what was wrong, what is valid. */
  constructor(readonly faults: readonly string[]) {
    super({
      symptom:
        faults.length === 1
          ? (faults[0] ?? '')
          : `${faults.length} inputs are wrong:\n${faults.map(fault => `  - ${fault}`).join('\n')}`
    })
  }
}

/** A script of the user's failed before the run's own could start. */
export class ScriptFailure extends Failure {
  readonly outcome = 'script-failed'

  /** @param exitCode the script's status; 128 + n for signal n */
  constructor(
    readonly exitCode: number,
    readonly signal: string | undefined,
    details: FailureDetails
  ) {
    super(details)
  }
}

/** This machine could not do its part: a tool, the disk, the network, the image file. */
export class HostFailure extends Failure {
  readonly outcome = 'host-failed'
}

/** The emulated Pi did not come up, or went away. */
export class BootFailure extends Failure {
  readonly outcome = 'boot-failed'
}

/** A limit the user set (or the default of it) was reached. */
export class TimeLimit extends Failure {
  readonly outcome = 'timeout'
}

/** The failure as text: symptom, cause, remedy, log, documentation; each on its own line. */
export function describeFailure(error: unknown): string {
  if (!(error instanceof Failure)) {
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error)
    const known = recognise('host', messageOf(error))
    return known === undefined ? text : describe({ symptom: text, ...explain(known.row) })
  }
  const place = places[error.outcome]
  if (place === undefined || error.details.cause !== undefined) return describe(error.details)
  const known = recognise(place, error.details.symptom)
  if (known === undefined) return describe(error.details)
  const { remedy = known.row.remedy, log } = error.details
  return describe({ ...explain(known.row), symptom: error.details.symptom, remedy, log })
}

/** Where to look for the cause of what is told without one. */
const places: Readonly<Partial<Record<Outcome, 'host' | 'script'>>> = {
  'host-failed': 'host',
  // What a guest says of its set-up is what it would say to a script.
  'boot-failed': 'script'
}

/** What happened, and what is known about it, each on its own line. */
export function describe({ symptom, cause, remedy, log, see }: FailureDetails): string {
  return [
    symptom,
    cause && `Cause: ${cause}`,
    remedy && `Remedy: ${remedy}`,
    log && `Log: ${log}`,
    see && `See: ${troubleshooting}#${see}`
  ]
    .filter(Boolean)
    .join('\n')
}

/** Message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
