import { tool, toolFailure, tryTool } from '../../host/exec'
import type { ContainerRef } from '../../inputs'
import type { Journal } from '../../journal'
import { HostFailure } from '../../report/errors'
import type { Log } from '../../report/log'
import { importArguments } from './argv'
import type { EngineName } from './engine'

/** An image that a container can be made of. */
export interface ContainerImage {
  /** By which the engine knows it. */
  readonly name: string
  /** Docker's name, to ask the engine for; undefined where it does not know the image's. */
  readonly platform: string | undefined
  readonly isHere: boolean
}

export interface ImageRequest {
  readonly engine: EngineName
  readonly ref: ContainerRef
  /** Docker's name. */
  readonly platform: string
  readonly journal: Journal
  readonly log: Log
}

/**
 * Brings the image to the engine, if it is a file: an archive of images, or a root file system. What is new there goes
 * away with the run.
 */
export async function bringImage(request: ImageRequest): Promise<ContainerImage> {
  const { ref, platform } = request
  if (ref.kind === 'name') return { name: ref.name, platform, isHere: false }
  const entries = (await tool('tar', ['--list', '--file', ref.path]))
    .split('\n')
    .map(entry => entry.replace(/^\.\//, ''))
  const kind = archiveKind(entries)
  if (kind === 'root') return imported(request, ref.path)
  return { name: await loaded(request, ref.path, kind), platform, isHere: true }
}

/** What an archive is, by the names in it. */
export function archiveKind(entries: readonly string[]): 'docker' | 'oci' | 'root' {
  if (entries.includes('manifest.json')) return 'docker'
  return entries.includes('oci-layout') ? 'oci' : 'root'
}

/** Names of the images in an archive of `docker save`, from its `manifest.json`. */
export function namesInArchive(manifest: string): readonly string[] {
  const rows = JSON.parse(manifest) as readonly { readonly RepoTags?: readonly string[] | null }[]
  return rows.flatMap(({ RepoTags }) => RepoTags ?? [])
}

async function loaded({ engine, journal, log }: ImageRequest, path: string, kind: 'docker' | 'oci'): Promise<string> {
  const before = await tool(engine, ['image', 'ls', '--all', '--quiet', '--no-trunc'])
  const names = kind === 'docker' ? namesInArchive(await tool('tar', ['-xOf', path, 'manifest.json'])) : []
  for (const name of names)
    if ((await tryTool(engine, ['image', 'inspect', name])).code !== 0)
      journal.record({ kind: 'engine-image', engine, name })
  const args = ['load', '--input', path]
  const { code, stdout, stderr } = await tryTool(engine, args)
  if (code !== 0) {
    throw new HostFailure({
      symptom: `${engine} cannot load ${path}: ${(stderr || stdout).trim()}`,
      cause: kind === 'oci' ? 'engines before Docker 25 do not read archives in the form of OCI' : undefined,
      remedy: 'write it anew with `docker save`'
    })
  }
  const name = /^Loaded image(?:\(s\)| ID)?: (\S+)/m.exec(stdout)?.[1]
  if (name === undefined) throw toolFailure(engine, args, code, stdout)
  // Without a name in the archive it is known only now.
  if (!names.includes(name) && !before.includes(name.replace(/^sha256:/, '')))
    journal.record({ kind: 'engine-image', engine, name })
  log.info(`Loaded ${name}`)
  return name
}

async function imported({ engine, platform, journal, log }: ImageRequest, path: string): Promise<ContainerImage> {
  const name = `pi-qemu-${journal.id}:rootfs`
  journal.record({ kind: 'engine-image', engine, name })
  await tool(engine, importArguments(engine, path, platform, name))
  log.info(`Imported ${path}`)
  // Docker 20 notes its own platform, whatever it is told, and would not find the other.
  const recorded = await tool(engine, ['image', 'inspect', '--format', '{{.Architecture}}', name])
  const isRight = recorded.trim() === platform.split('/')[1]
  return { name, platform: isRight ? platform : undefined, isHere: true }
}
