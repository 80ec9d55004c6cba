import type { Guest } from '../guest'
import type { Qemu, SerialLog } from '../qemu'
import type { RunFacts } from './facts'

/** A machine that was started, and what it says. */
export interface RunningMachine {
  readonly qemu: Pick<Qemu, 'qmp' | 'isAlive'>
  readonly serial: Pick<SerialLog, 'poll' | 'tail'>
}

/** What a run gets to know for its report, as it goes. */
export class RunRecord {
  private known: RunFacts = {}
  /** The machine under way, or the last one. */
  machine: RunningMachine | undefined
  /** The guest that let us in. */
  guest: Pick<Guest, 'askRoot'> | undefined

  get facts(): RunFacts {
    return this.known
  }

  /** What is said later replaces what was said before. */
  note(facts: RunFacts): void {
    this.known = { ...this.known, ...facts }
  }

  /** The last lines of the console. */
  console(count: number): readonly string[] {
    this.machine?.serial.poll()
    return this.machine?.serial.tail(count) ?? []
  }
}
