import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Inputs } from '../inputs'
import { screenshot } from '../qemu'
import { describeFailure, messageOf } from './errors'
import type { Log } from './log'
import type { RunRecord } from './record'

/** What is asked of a run's last moments. */
export type Wanted = Pick<Inputs, 'reportDir' | 'bootAnalysis' | 'screenshot'>

export interface Place {
  /** Folder of the run's logs. */
  readonly logs: string
  readonly record: RunRecord
  readonly log: Log
}

/** Names in a report of what only a machine that still runs can tell. */
export const collected = {
  screen: 'screen.png',
  journal: 'boot-journal.txt',
  time: 'boot-time.txt',
  blame: 'boot-blame.txt',
  chain: 'boot-critical-chain.txt',
  plot: 'boot-plot.svg'
} as const

/** How long (ms) a guest may take for its journal, and for one of the analyses of its boot. */
const patience = { journal: 30_000, analysis: 90_000 } as const

/** The journal since the boot; without systemd what the kernel and a logger of busybox still know. */
const journalText = `if command -v journalctl >/dev/null 2>&1; then exec journalctl -b -o short-monotonic --no-pager; fi
dmesg
if command -v logread >/dev/null 2>&1; then logread 2>/dev/null; fi
exit 0
`

/** systemd says so only when the boot is over; a unit that hangs must not hold us. */
const analyze = (command: string): string => `command -v systemd-analyze >/dev/null 2>&1 || exit 0
timeout 60 systemctl is-system-running --wait >/dev/null 2>&1
exec systemd-analyze --no-pager ${command}
`

/**
 * Asks a machine that is about to be switched off for what nobody will know later, and puts it with the run's logs. Whatever does
 * not answer in time is left out with a warning, and nothing is asked twice. Never throws.
 * @param failed whether the run is known to end badly, when a picture of the screen is wanted in any case
 */
export async function collect(wanted: Wanted, place: Place, failed: boolean): Promise<void> {
  const { machine } = place.record
  if (wanted.reportDir === undefined || machine?.qemu.isAlive() !== true) return
  const { logs, log } = place
  if (wanted.screenshot || failed) {
    // A failure is told where a picture was asked for: a board without a display has nothing to show.
    await screenshot(machine.qemu.qmp, join(logs, collected.screen)).catch((error: unknown) => {
      if (wanted.screenshot) log.warn(describeFailure(error))
      else log.debug(describeFailure(error))
    })
  }
  await askGuest(wanted, place).catch((error: unknown) => {
    log.warn(`The report lacks what the guest knows: ${messageOf(error)}`)
  })
}

async function askGuest(wanted: Wanted, { logs, record: { guest }, log }: Place): Promise<void> {
  if (guest === undefined) return
  for (const { name, text, timeout } of questions(wanted)) {
    const file = join(logs, name)
    if (existsSync(file)) continue
    const answer = await guest.askRoot(text, timeout)
    if (answer === undefined) {
      // The next question would wait in vain, too.
      log.warn(`The guest did not answer: ${name} is missing in the report`)
      return
    }
    if (answer !== '') await writeFile(file, answer)
  }
  if (wanted.bootAnalysis && !existsSync(join(logs, collected.time)))
    log.warn('No analysis of the boot: the guest has no systemd-analyze, or its boot is not over')
}

interface Question {
  readonly name: string
  readonly text: string
  /** ms */
  readonly timeout: number
}

function questions({ bootAnalysis }: Wanted): readonly Question[] {
  const journal = { name: collected.journal, text: journalText, timeout: patience.journal }
  const analyses = [
    [collected.time, 'time'],
    [collected.blame, 'blame'],
    [collected.chain, 'critical-chain'],
    [collected.plot, 'plot']
  ] as const
  const analysis = analyses.map(([name, command]) => ({ name, text: analyze(command), timeout: patience.analysis }))
  return [journal, ...(bootAnalysis ? analysis : [])]
}
