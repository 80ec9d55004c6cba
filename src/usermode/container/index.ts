import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../../context'
import { guestDirectory } from '../../guest'
import { tryTool } from '../../host/exec'
import { streamTool } from '../../host/streamed'
import type { Inputs } from '../../inputs'
import { messageOf } from '../../report/errors'
import type { ScriptResult } from '../../script-run'
import { makeTold, readTold, scriptEnvironment, tellJob, toldInside } from '../../workflow'
import { platform as platformRow, type Platform } from '../platforms'
import type { Provided } from '../provide'
import { createArguments, insideFolder, machineOf, startText } from './argv'
import { creationFailure, scriptEnding } from './ending'
import { findEngine, type Engine } from './engine'
import { giveBack } from './give-back'
import { bringImage } from './image'

/** Seconds that a script past its time has for an end of its own. */
const stopPatience = 2
/** ms that the engine has for ending it. */
const enginePatience = 20_000
/** Bytes of standard error that are kept, for a container that does not start. */
const wordsKept = 4096

/** The platform of a container, unless told otherwise. */
export const defaultPlatform = platformRow('linux/arm64')

/**
 * Runs the script in a container, phase by phase. The caller tears down, whatever happens here.
 * @param provide makes this host able to run programs of the platform
 */
export async function runInContainer(
  inputs: Inputs,
  context: Context,
  provide: (row: Platform) => Promise<readonly Provided[]>
): Promise<ScriptResult> {
  const { journal, phases, log } = context
  const { container: ref, run = '' } = inputs
  if (ref === undefined) throw new Error('no container was asked for')
  const row = inputs.platforms?.rows[0] ?? defaultPlatform
  const engine = await phases.run('engine', 'Container engine', async () => {
    const found = await findEngine()
    log.info(`${found.name} ${found.version}`)
    return found
  })
  const provided = await provide(row)
  const isNative = provided.some(({ emulator, interpreter }) => emulator === row.emulator && interpreter === undefined)
  const name = `pi-qemu-${journal.id}`
  const workspace = inputs.sync === 'none' ? undefined : inputs.workspace
  const directory = placeInContainer(inputs.workingDirectory, workspace)
  const told = join(journal.folder, 'told')
  const forJob = inputs.workflow === undefined ? undefined : join(journal.folder, 'told-to-job')
  if (forJob !== undefined) await makeTold(forJob)
  const image = await phases.run('container', `Container of ${ref.kind === 'file' ? ref.path : ref.name}`, async () => {
    const brought = await bringImage({ engine: engine.name, ref, platform: row.name, journal, log })
    const files = await layDown(journal.folder, {
      script: run,
      start: startText({
        shell: inputs.shell,
        env: scriptEnvironment(inputs, row.name, toldInside),
        directory,
        machine: isNative ? undefined : machineOf(row)
      }),
      told
    })
    const plan = {
      ...{
        name,
        run: journal.id,
        image: brought.name,
        platform: brought.platform,
        isHere: brought.isHere,
        user: inputs.user
      },
      binds: [
        { from: files, to: insideFolder, readOnly: true },
        { from: told, to: `${insideFolder}/told` },
        ...(forJob === undefined ? [] : [{ from: forJob, to: toldInside }]),
        ...(workspace === undefined ? [] : [{ from: workspace, to: workspace }])
      ]
    }
    journal.record({ kind: 'container', engine: engine.name, name })
    const { code, stderr } = await tryTool(engine.name, createArguments(plan))
    if (code !== 0) throw creationFailure(brought.name, row.name, stderr)
    return brought.name
  })
  const since = Date.now()
  try {
    return await phases.run('run', 'Run the script', async () => {
      log.endGroup() // its output is what the reader came for: not folded away
      const { timedOut, words } = await started(engine, name, inputs.runTimeout, context)
      const lines = (await readFile(told, 'utf8')).split('\n')
      return scriptEnding({
        image,
        platform: row.name,
        told: lines,
        words,
        timedOut,
        directory,
        ...(await stateOf(engine, name))
      })
    })
  } finally {
    if (forJob !== undefined) await tellJob(await readTold(forJob), inputs, log)
    if (workspace !== undefined) await giveBack(workspace, since, log)
  }
}

/** Where the script starts; undefined for where the image says. */
function placeInContainer(directory: string | undefined, workspace: string | undefined): string | undefined {
  return directory === undefined ? workspace : guestDirectory(directory, { workspace, home: '/' })
}

/** Writes what the container sees of the run; the run's own folder lets nobody else on this host in. */
async function layDown(
  folder: string,
  { script, start, told }: { readonly script: string; readonly start: string; readonly told: string }
): Promise<string> {
  const files = join(folder, 'container')
  await mkdir(files)
  await writeFile(join(files, 'script'), script)
  await writeFile(join(files, 'start'), start)
  await writeFile(join(files, 'told'), '') // the place for the next one, which is mounted on it
  await writeFile(told, '')
  // For any user of the container, whatever this process's umask is.
  for (const path of ['script', 'start'].map(name => join(files, name))) await chmod(path, 0o644)
  await chmod(files, 0o755)
  await chmod(told, 0o666)
  return files
}

/** Starts the container and waits for its end, its output passed on. */
async function started(
  { name: engine }: Engine,
  container: string,
  timeout: number | undefined,
  { stdout, stderr }: Pick<Context, 'stdout' | 'stderr'>
): Promise<{ readonly timedOut: boolean; readonly words: string }> {
  const giveUp = new AbortController()
  const words: Buffer[] = []
  let kept = 0
  let timedOut = false
  const stop = async (): Promise<void> => {
    timedOut = true
    await tryTool(engine, ['stop', '--time', String(stopPatience), container])
  }
  const timers: NodeJS.Timeout[] = []
  if (timeout !== undefined) {
    timers.push(
      setTimeout(() => void stop().catch(() => undefined), timeout),
      setTimeout(
        () => {
          giveUp.abort()
        },
        Math.min(timeout + enginePatience, 2 ** 31 - 1)
      )
    )
  }
  try {
    await streamTool(engine, ['start', '--attach', container], {
      onStdout: stdout,
      onStderr: chunk => {
        if (kept < wordsKept) words.push(chunk)
        kept += chunk.length
        stderr(chunk)
      },
      stop: giveUp.signal
    })
  } finally {
    timers.forEach(clearTimeout)
  }
  return { timedOut, words: Buffer.concat(words).toString().slice(0, wordsKept) }
}

/** What the engine knows of a container that should have ended. */
async function stateOf(
  { name: engine }: Engine,
  container: string
): Promise<{ readonly status: number | undefined; readonly fault: string }> {
  const { code, stdout, stderr } = await tryTool(engine, [
    'container',
    'inspect',
    '--format',
    '{{json .State}}',
    container
  ])
  if (code !== 0) return { status: undefined, fault: stderr.trim() }
  try {
    const state = JSON.parse(stdout) as {
      readonly Status?: string
      readonly ExitCode?: number
      readonly Error?: string
    }
    return { status: state.Status === 'running' ? undefined : state.ExitCode, fault: state.Error ?? '' }
  } catch (error) {
    return { status: undefined, fault: messageOf(error) }
  }
}
