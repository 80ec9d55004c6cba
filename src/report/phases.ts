import { keptLog } from './aside'
import type { Log } from './log'

export interface PhaseTiming {
  /** Key in `timings`. */
  readonly name: string
  /** What it is called in the log. */
  readonly title: string
  /** Seconds since the run began. */
  readonly start: number
  /** Duration in seconds. */
  readonly seconds: number
  /** Whether its work ended with an error. */
  readonly failed: boolean
}

/** Waits for work that goes on beside the phase under way, as often as it is called; `outcome` says nothing in the log. */
export type Beside<T> = (() => Promise<T>) & { readonly outcome: Promise<T> }

/** Runs the phases of a run, most of them one after the other: a log group, a duration and a row in the timeline for each. */
export class Phases {
  private readonly rows: PhaseTiming[] = []
  private readonly origin = performance.now()
  private current = 'start'
  private open = false

  constructor(private readonly log: Log) {}

  /** Name of the phase under way, or of the last one: where a failure happened. */
  get last(): string {
    return this.current
  }

  get timings(): readonly PhaseTiming[] {
    return this.rows
  }

  /** Seconds since the run began. */
  get elapsed(): number {
    return (performance.now() - this.origin) / 1000
  }

  /**
   * @param name key in `timings`, such as `boot`
   * @param title what the reader sees
   */
  async run<T>(name: string, title: string, work: () => Promise<T>): Promise<T> {
    this.current = name
    const start = this.elapsed
    this.log.group(title)
    this.open = true
    let failed = true
    try {
      const result = await work()
      failed = false
      return result
    } finally {
      this.open = false
      const seconds = this.elapsed - start
      this.rows.push({ name, title, start: round(start), seconds: round(seconds), failed })
      this.log.debug(`${name}: ${seconds.toFixed(2)} s`)
      this.log.endGroup()
    }
  }

  /**
   * Starts a phase that goes on beside the others; its log section appears once somebody waits for it.
   */
  beside<T>(name: string, title: string, work: (log: Log) => Promise<T>): Beside<T> {
    const start = this.elapsed
    const { log, replay } = keptLog()
    const going = work(log)
    const ended = (failed: boolean): void => {
      this.rows.push({ name, title, start: round(start), seconds: round(this.elapsed - start), failed })
    }
    going.then(
      () => {
        ended(false)
      },
      () => {
        ended(true) // whoever waits for it hears of it
      }
    )
    let told = false
    const wait = async (): Promise<T> => {
      await going.catch(() => undefined)
      if (!told) {
        told = true
        // Sections do not nest: within one it is a paragraph.
        if (this.open) this.log.info(`${title}:`)
        else this.log.group(title)
        replay(this.log)
        if (!this.open) this.log.endGroup()
      }
      return going
    }
    return Object.assign(wait, { outcome: going })
  }

  /** Adds a phase that was timed elsewhere, up to now. */
  note(name: string, seconds: number, title = name): void {
    const start = Math.max(0, this.elapsed - seconds)
    this.rows.push({ name, title, start: round(start), seconds: round(seconds), failed: false })
  }

  /** `{"boot": 12.3, …}`, in order; a phase that ran twice is summed. */
  json(): string {
    const sums: Record<string, number> = {}
    for (const { name, seconds } of this.rows) sums[name] = round((sums[name] ?? 0) + seconds)
    return JSON.stringify(sums)
  }
}

const round = (seconds: number): number => Math.round(seconds * 1000) / 1000
