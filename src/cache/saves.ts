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
   * @returns what came of it; undefined if it failed
   */
  start<T>(name: string | undefined, work: () => Promise<T>): Promise<T | undefined> {
    const began = performance.now()
    const going = work().catch(() => undefined)
    const noted = going.then(() => {
      this.running.delete(noted)
      if (name !== undefined) this.phases.note(name, (performance.now() - began) / 1000)
    })
    this.running.add(noted)
    return going
  }

  /** Waits for what has not ended yet; a row of its own says how long. */
  async settle(): Promise<void> {
    if (this.running.size === 0) return
    await this.phases.run('cache-wait', 'Wait for the cache', async () => {
      while (this.running.size > 0) await Promise.all(this.running)
    })
  }
}
