import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Context } from '../../context'
import { tool, tryTool } from '../../host/exec'
import { streamTool } from '../../host/streamed'
import type { Inputs } from '../../inputs'
import { HostFailure, TimeLimit } from '../../report/errors'
import { lineLog } from '../../report/log'
import type { ScriptResult } from '../../script-run'
import { findEngine } from '../container/engine'
import { platform as platformRow, type WantedPlatforms } from '../platforms'
import { buildArguments, chooseBuilder, createBuilderArguments, isNewEnough, readBuilder, readMetadata } from './argv'
import { BuildProgress } from './failure'

/** Platforms of a build, unless told otherwise. */
export const defaultPlatforms: WantedPlatforms = { rows: [platformRow('linux/arm64')], asFarAsPossible: false }

/**
 * Builds an image with Buildx, phase by phase. The caller tears down, whatever happens here.
 * @param provide makes this host able to run programs of the platforms
 */
export async function buildImage(
  inputs: Inputs,
  context: Context,
  provide: (wanted: WantedPlatforms) => Promise<unknown>
): Promise<ScriptResult> {
  const { journal, phases, log, output } = context
  const { build: folder, building: how, runTimeout } = inputs
  if (folder === undefined) throw new Error('no build was asked for')
  const wanted = inputs.platforms ?? defaultPlatforms
  const platforms = wanted.rows.map(({ name }) => name)
  await phases.run('engine', 'Docker and Buildx', async () => {
    const { version } = await findEngine(['docker'])
    log.info(`docker ${version}; buildx ${await buildxVersion()}`)
  })
  await provide(wanted)
  const builder = await phases.run('builder', 'Builder', () => provideBuilder(inputs, platforms, context))
  const metadata = join(journal.folder, 'metadata.json')
  await phases.run('build', `Build for ${platforms.join(', ')}`, async () => {
    log.endGroup() // what the reader came for: not folded away
    await built(buildArguments({ context: folder, how, platforms, builder, metadata }), runTimeout, context)
  })
  // Buildx writes none where nothing is kept of the build.
  const text = await readFile(metadata, 'utf8').catch(() => '{}')
  const { digest, imageId } = readMetadata(text)
  output('metadata', text.trim())
  if (digest !== undefined) output('digest', digest)
  if (imageId !== undefined) output('image-id', imageId)
  if (digest !== undefined) log.info(`Digest: ${digest}`)
  return { outcome: 'success', exitCode: 0, signal: undefined }
}

async function buildxVersion(): Promise<string> {
  const { code, stdout, stderr } = await tryTool('docker', ['buildx', 'version'])
  const remedy = "install Docker's docker-buildx-plugin, or Debian's and Ubuntu's docker-buildx"
  if (code !== 0)
    throw new HostFailure({
      symptom: `docker has no Buildx: ${stderr.trim() || stdout.trim()}`,
      cause: 'its plugin is not installed, or not for this user',
      remedy
    })
  if (!isNewEnough(stdout)) throw new HostFailure({ symptom: `Buildx is too old: ${stdout.trim()}`, remedy })
  return stdout.trim().split(/\s+/)[1] ?? ''
}

/** The builder to name; undefined for the current one. */
async function provideBuilder(
  { building: how }: Inputs,
  platforms: readonly string[],
  { journal, log }: Context
): Promise<string | undefined> {
  const { code, stdout } = await tryTool('docker', ['buildx', 'inspect'])
  const drivers = await tryTool('docker', ['info', '--format', '{{json .DriverStatus}}'])
  const choice = chooseBuilder({
    ...{ how, platforms, own: `pi-qemu-${journal.id}` },
    current: code === 0 ? readBuilder(stdout) : undefined,
    keepsLists: drivers.stdout.includes('io.containerd.snapshotter')
  })
  log.info(`Builder: ${choice.builder ?? ''}${choice.builder === undefined ? '' : ', '}${choice.why}`)
  if (choice.isNew && choice.builder !== undefined) {
    journal.record({ kind: 'builder', engine: 'docker', name: choice.builder })
    await tool('docker', createBuilderArguments(choice.builder, how))
  }
  return choice.builder
}

/** @throws Failure with the step that failed, if one did */
async function built(args: readonly string[], timeout: number | undefined, { log }: Context): Promise<void> {
  const progress = new BuildProgress()
  const lines = lineLog({
    ...log,
    info: text => {
      progress.add(text)
      log.info(text)
    }
  })
  const limit = new AbortController()
  const timer =
    timeout === undefined
      ? undefined
      : setTimeout(() => {
          limit.abort()
        }, timeout)
  const status = await streamTool('docker', args, { onStdout: lines.write, onStderr: lines.write, stop: limit.signal })
  clearTimeout(timer)
  lines.end()
  if (limit.signal.aborted)
    throw new TimeLimit({
      symptom: 'the build took longer than `run-timeout`, and was ended',
      remedy: 'give it more time'
    })
  if (status !== 0) throw progress.failure(status)
}
