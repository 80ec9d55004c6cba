import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Board } from '../boards'
import type { Context } from '../context'
import { Guest } from '../guest'
import { familyOfBoard, sealImage, type PreparedImage, type PrepareRequest, type Provenance } from '../images'
import type { Inputs } from '../inputs'
import type { Preparer } from '../layers'
import { boardFor, knownBoard } from '../plan'
import { powerOff, powerOn } from '../power'
import { runFiles, type QemuInstall } from '../qemu'
import { explain, recognise } from '../report/diagnosis'
import { ScriptFailure, TimeLimit } from '../report/errors'
import { OutputTail } from '../report/hint'
import { lineLog } from '../report/log'
import { runScript, type ScriptResult } from '../script-run'
import { machineIngredients, prepareInputs } from './inputs'

export interface PrepareWork {
  readonly inputs: Inputs
  readonly script: string
  /** The image to start from. */
  readonly base: PreparedImage
  readonly request: PrepareRequest
  readonly provenance: Provenance
}

/** The QEMU for the board on which it runs. */
type Install = (board: Board, context: Context) => Promise<QemuInstall>

/** What runs `prepare` on a board. */
export function boardPreparer(inputs: Inputs, install: Install): Preparer {
  return {
    family: familyOfBoard(inputs.prepareBoard ?? knownBoard(inputs)?.name),
    machine: () => machineIngredients(inputs),
    run: (work, context) => runPrepare(work, install, context)
  }
}

const names = { disk: 'prepare-disk', qemu: 'prepare-qemu', boot: 'prepare-boot' } as const

/**
 * Boots an image with nothing of the user's but the script, runs that as root, and makes an image of what it left.
 * @returns the folder with that image
 * @throws ScriptFailure with the script's status; TimeLimit past `run-timeout`
 */
async function runPrepare(work: PrepareWork, installFor: Install, context: Context): Promise<string> {
  const { inputs, base, script, request, provenance } = work
  const { phases, log } = context
  const board = boardFor({ ...inputs, board: inputs.prepareBoard ?? inputs.board }, base)
  const journal = context.journal.part('prepare')
  const own: Context = {
    ...context,
    journal,
    // What the outputs tell is about the run itself; but after a failure its console is wanted.
    output: (name, value) => {
      if (name === 'serial-log' || name === 'serial-socket') context.output(name, value)
    }
  }
  const install = await installFor(board, own)
  const machine = { inputs: prepareInputs(inputs, board), prepared: base, user: 'root', board, install, names }
  const pi = await powerOn(machine, own)
  const guest = new Guest(pi.session, 'root', journal.id)
  await phases.run('prepare', `Run \`prepare\` on ${board.name}`, async () => {
    const text = { run: script, shell: undefined, env: {}, workingDirectory: undefined }
    const startCpus = pi.machine.cpusAtBoot !== undefined
    await guest.setUp({ clock: Date.now(), startCpus, mount: undefined, script: text })
    const lines = lineLog(log)
    const said = new OutputTail()
    const write = said.through(lines.write)
    const { outcome, exitCode, signal } = await runScript({ ...pi, guest }, inputs.runTimeout, {
      stdout: write,
      stderr: write
    })
    lines.end()
    checkPrepare({ outcome, exitCode, signal }, said.text)
  })
  return phases.run('prepare-keep', 'Keep what `prepare` did', async () => {
    await powerOff({ ...pi, guest })
    const build = join(context.journal.folder, 'build-prepared')
    await mkdir(build)
    const overlay = join(journal.folder, runFiles.disk)
    await sealImage({ base, disk: { path: overlay, format: 'qcow2' }, keys: pi.keys, request, provenance, build, log })
    await rm(journal.folder, { recursive: true, force: true })
    return build
  })
}

/**
 * @param said the end of what it said
 * @throws ScriptFailure or TimeLimit unless `prepare` went well
 */
export function checkPrepare({ outcome, exitCode, signal }: ScriptResult, said = ''): void {
  if (outcome === 'success') return
  if (outcome === 'timeout')
    throw new TimeLimit({ symptom: `\`prepare\` ran longer than \`run-timeout\`, and was ended; nothing was cached` })
  const known = recognise('script', said)
  const how = signal === undefined ? `ended with status ${exitCode}` : `was killed by SIG${signal}`
  throw new ScriptFailure(exitCode, signal, {
    symptom: `\`prepare\` ${how}; nothing of it was cached`,
    remedy: 'see what it said above; the script runs as root in a shell that ends at the first error',
    ...(known && explain(known.row))
  })
}
