// What all benchmarks of one `npm run bench` share: a scratch folder, what has to be undone, and the peers of a round.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** Seconds since a `process.hrtime.bigint()`. */
export const secondsSince = start => Number(process.hrtime.bigint() - start) / 1e9

/** How long some work takes, in seconds. */
export async function timed(work) {
  const start = process.hrtime.bigint()
  await work()
  return secondsSince(start)
}

export class Session {
  #closing
  #undo = []
  #ofRound = new Map()
  #ofSession = new Map()
  /** Goes away with the session; several GB are needed in the temporary folder. */
  scratch = mkdtempSync(join(tmpdir(), 'pi-qemu-bench-'))

  /** PI_QEMU_HOME of all runs that are not to be cold. */
  home = join(this.scratch, 'home')

  constructor(rounds) {
    this.rounds = rounds
  }

  /** A path in the scratch folder. */
  path(...names) {
    return join(this.scratch, ...names)
  }

  /** Says how far it is; the table is all that goes to standard output. */
  say(text) {
    console.error(`${new Date().toTimeString().slice(0, 8)}  ${text}`)
  }

  /** Has something undone when the session ends, however it ends; what was last made goes first. */
  atEnd(undo) {
    this.#undo.push(undo)
  }

  /** Asked before a machine is started: none is any more once the session is being closed. */
  goOn() {
    if (this.#closing) throw new Error('the bench is being ended')
  }

  /** From here on nothing of the last round is remembered. */
  nextRound() {
    this.#ofRound.clear()
  }

  /** A peer that several rows compare with is measured once in a round. */
  oncePerRound(name, measure) {
    return once(this.#ofRound, name, measure)
  }

  /** For what takes very long, or cannot differ. */
  oncePerSession(name, measure) {
    return once(this.#ofSession, name, measure)
  }

  /** Ends the session; asked again, it waits for the same end. */
  close() {
    return (this.#closing ??= this.#end())
  }

  async #end() {
    for (const undo of this.#undo.splice(0).reverse())
      await Promise.resolve()
        .then(undo)
        .catch(error => this.say(`not undone: ${error}`))
    rmSync(this.scratch, { recursive: true, force: true })
  }
}

function once(known, name, measure) {
  if (!known.has(name)) known.set(name, measure())
  return known.get(name)
}
