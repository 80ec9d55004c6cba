import type { Phases } from '../report/phases'

/**
 * What is handed to the shared cache while the run goes on: the first command does not wait for it, and a script that
 * fails does not lose it. Each piece of work bounds its own time and never throws.
 */
export class Saves {
  private readonly running = new Set<Promise<void>>()

  constructor(private readonly phases: Phases) {}

  /**
   * @param name key in `timings`, which shows how long the work took, not how long the run waited; undefined for work
   * that is not worth a row
   */
  start(name: string | undefined, work: () => Promise<unknown>): void {
    const began = performance.now()
    const going = work()
      .then(
        () => undefined,
        () => undefined
      )
      .then(() => {
        this.running.delete(going)
        if (name !== undefined) this.phases.note(name, (performance.now() - began) / 1000)
      })
    this.running.add(going)
  }

  /** Waits for what has not ended yet; a row of its own says how long. */
  async settle(): Promise<void> {
    if (this.running.size === 0) return
    await this.phases.run('cache-wait', 'Wait for the cache', async () => {
      while (this.running.size > 0) await Promise.all(this.running)
    })
  }
}
