import { AsyncLocalStorage } from 'node:async_hooks'

interface Work {
  isOver: boolean
}

const work = new AsyncLocalStorage<Work>()

/** Work that can be left where it is. */
export interface Leavable {
  /** Does it; whatever it starts, and however late, is part of it. */
  readonly run: <T>(doing: () => Promise<T>) => Promise<T>
  /**
   * Does something else instead: from now on nothing of it goes on, each of its parts waits for ever where it next asks
   * {@link goingOn}.
   */
  readonly leaveFor: <T>(other: () => Promise<T>) => Promise<T>
}

/**
 * A run that is torn down may still have work going on beside what failed. Its programs are ended, and what it would make
 * of that, or start next, nobody would end.
 */
export function leavable(): Leavable {
  const own: Work = { isOver: false }
  return {
    run: doing => work.run(own, doing),
    leaveFor: other => {
      own.isOver = true
      return work.exit(other)
    }
  }
}

/** Asked before a program is started, and once it has ended: resolves at once, or never if the work was left. */
export async function goingOn(): Promise<void> {
  if (work.getStore()?.isOver === true) await new Promise<never>(() => undefined)
}
