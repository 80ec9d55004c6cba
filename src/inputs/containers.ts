import { lstatSync, statSync } from 'node:fs'
import { resolve } from 'node:path'
import type { InputName } from './definitions'
import { existingFile } from './files'
import * as read from './readers'

/** A container image: by name, or a file of this host. */
export type ContainerRef =
  { readonly kind: 'name'; readonly name: string } | { readonly kind: 'file'; readonly path: string }

/** How to build an image. Paths are absolute, and what Buildx has words for is in its words. */
export interface Building {
  readonly file: string | undefined
  readonly tags: readonly string[]
  readonly args: Readonly<Record<string, string>>
  /** Where each is, not what. */
  readonly secrets: readonly string[]
  readonly target: string | undefined
  readonly push: boolean
  readonly load: boolean
  readonly outputs: readonly string[]
  readonly cacheFrom: readonly string[]
  readonly cacheTo: readonly string[]
  readonly builder: string | undefined
}

/** Reads an input by its name; undefined if it is empty or wrong. */
export type Get = <T>(name: InputName, parse: (text: string) => T) => T | undefined

interface Place {
  readonly env: Readonly<NodeJS.ProcessEnv>
  readonly workspace: string
}

/** Reads the inputs that say how to build. */
export function building(get: Get, { env, workspace }: Place): Building {
  const at = (text: string): string => resolve(workspace, text)
  return {
    file: get('file', text => existingFile(at(text.trim()))),
    tags: get('tags', tags) ?? [],
    args: get('build-args', read.environment(env)) ?? {},
    secrets: get('secrets', text => read.lines(text).map(line => secret(line, env, workspace))) ?? [],
    target: get('target', text => word(text.trim())),
    push: get('push', text => read.truth(text.trim())) ?? false,
    load: get('load', text => read.truth(text.trim())) ?? false,
    outputs: get('outputs', text => read.lines(text)) ?? [],
    cacheFrom: get('cache-from', text => read.lines(text)) ?? [],
    cacheTo: get('cache-to', text => read.lines(text)) ?? [],
    builder: get('builder', text => word(text.trim()))
  }
}

/** A name, or a file: what has a folder in front, or the ending of an archive. */
export function containerRef(text: string, base: string): ContainerRef {
  const path = resolve(base, text)
  if (/^\.{0,2}\//.test(text) || /\.(tar|tgz|tar\.(gz|xz|zst|bz2))$/.test(text))
    return { kind: 'file', path: existingFile(path) }
  return { kind: 'name', name: imageName(text) }
}

/** `registry:port/name:tag@digest`; the engine is the one to judge the rest. */
function imageName(text: string): string {
  if (!/^[A-Za-z0-9][\w./:@+-]*$/.test(text))
    throw new read.Fault(`is “${text}”; valid: the name of a container image such as debian:bookworm, or a file`)
  return text
}

function tags(text: string): readonly string[] {
  return read
    .lines(text)
    .flatMap(line => line.split(','))
    .map(tag => imageName(tag.trim()))
}

/** What must not look like a flag. */
function word(text: string): string {
  if (!/^[A-Za-z0-9_][\w.-]*$/.test(text)) throw new read.Fault(`is “${text}”; valid: a name`)
  return text
}

/** @throws Fault unless it is a folder */
export function existingFolder(path: string): string {
  if (lstatSync(path, { throwIfNoEntry: false }) === undefined)
    throw new read.Fault(`names ${path}, which does not exist`)
  if (!statSync(path).isDirectory()) throw new read.Fault(`names ${path}, which is not a folder`)
  return path
}

/** `id=NAME,env=VARIABLE` or `id=NAME,src=FILE`: never the secret itself, which is not repeated in a message either. */
function secret(line: string, env: Readonly<NodeJS.ProcessEnv>, workspace: string): string {
  const fields = new Map(
    line.split(',').map(field => [field.split('=')[0]?.trim() ?? '', field.replace(/^[^=]*=?/, '')])
  )
  const [id, variable] = [fields.get('id'), fields.get('env')]
  const source = fields.get('src') ?? fields.get('source')
  const others = [...fields.keys()].filter(name => !['id', 'env', 'src', 'source', 'type'].includes(name))
  if (
    id === undefined ||
    !/^[\w.-]+$/.test(id) ||
    others.length > 0 ||
    (variable !== undefined && source !== undefined)
  )
    throw new read.Fault('has a line that names no secret; valid: id=NAME,env=VARIABLE or id=NAME,src=FILE')
  if (source !== undefined) return `id=${id},src=${existingFile(resolve(workspace, source))}`
  const from = variable ?? id
  if (!Object.hasOwn(env, from))
    throw new read.Fault(`takes ${id} from the variable ${from}, which this step does not have`)
  return `id=${id},env=${from}`
}
