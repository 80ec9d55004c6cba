import type { ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { constants } from 'node:os'

/** Signals that end us go to the program, which decides. */
const passedOn = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const

/** A terminal sends these to all processes in its foreground: the program has got them, too. */
const fromTerminal: readonly string[] = ['SIGINT', 'SIGQUIT', 'SIGHUP']

/** Passes our signals on to a program, and stays alive meanwhile; returns what ends that. */
export function passSignals(child: ChildProcess): () => void {
  const listeners = passedOn.map(name => {
    const listener = (): void => {
      if (!fromTerminal.includes(name) || !inForeground(stat())) child.kill(name)
    }
    process.on(name, listener)
    return () => process.off(name, listener)
  })
  return () => {
    for (const off of listeners) off()
  }
}

/** Whether a process, by its line in /proc/PID/stat, is of its terminal's foreground: see proc(5). */
export function inForeground(line: string): boolean {
  // The second field, the name in brackets, may hold blanks and brackets itself.
  const [, , group, , terminal, foreground] = line.slice(line.lastIndexOf(')') + 2).split(' ')
  return terminal !== undefined && terminal !== '0' && group === foreground
}

const stat = (): string => readFileSync('/proc/self/stat', 'utf8')

/** The status that stands for an end by a signal. */
export function statusOf(signal: NodeJS.Signals): number {
  return 128 + constants.signals[signal]
}
