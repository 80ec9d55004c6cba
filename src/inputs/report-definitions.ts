import { define, type Definition } from './define'

/** Inputs about what is kept of a run for its reader. */
export const reportDefinitions = [
  define(
    'report-dir',
    'FOLDER',
    '',
    "Folder for a report of the run, whether it succeeds or fails: logs of serial console and QEMU, the guest's journal, summary, timings. Relative to the workspace; not exchanged with the guest. See docs/report.md."
  ),
  define(
    'boot-analysis',
    'true|false',
    'false',
    'Add what `systemd-analyze` says of the boot to the report: times, blame, critical chain and a plot.'
  ),
  define(
    'screenshot',
    'true|false',
    'false',
    "Add a picture of the board's display after the script to the report; after a failure there is one anyway."
  )
] as const satisfies readonly Definition[]
