import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { architectures, type Architecture } from '../boards'
import { existingFile } from './files'
import { Fault } from './readers'

/** What the user called the image. */
export type ImageRef =
  | { readonly kind: 'mini'; readonly name: string; readonly architecture: Architecture }
  | {
      readonly kind: 'debian'
      readonly name: string
      readonly architecture: Architecture
      readonly suite: (typeof debianSuites)[number]
    }
  | { readonly kind: 'catalogue'; readonly name: string; readonly tag: string }
  | { readonly kind: 'url'; readonly url: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'none' }

/** Debian releases that are built on the spot; the first is the default. */
export const debianSuites = ['bookworm', 'trixie'] as const

/** Images that are built here from Debian packages. */
export const builtInImages: readonly string[] = [
  ...architectures.map(architecture => `mini-${architecture}`),
  ...architectures.flatMap(architecture => debianSuites.map(suite => `debian-${architecture}:${suite}`))
]

/**
 * Reads the input `image`. A name is looked up in the catalogue later, unless a file is called so.
 * @throws Fault
 */
export function imageRef(text: string, base: string): ImageRef {
  if (text === 'none') return { kind: 'none' }
  if (/^https?:\/\//i.test(text)) {
    if (!URL.canParse(text)) throw new Fault(`is no valid URL: ${text}`)
    return { kind: 'url', url: text }
  }
  const path = resolve(base, text)
  const [, name, tag] = /^([a-z][a-z0-9-]*)(?::([\w.-]+))?$/.exec(text) ?? []
  const [, family, word] = /^(mini|debian)-(\w+)$/.exec(name ?? '') ?? []
  if (family !== undefined) {
    const architecture = architectures.find(known => known === word)
    const suite = debianSuites.find(known => known === (tag ?? debianSuites[0]))
    if (architecture !== undefined && family === 'mini' && tag === undefined)
      return { kind: 'mini', name: text, architecture }
    if (architecture !== undefined && family === 'debian' && suite !== undefined)
      return { kind: 'debian', name: `${name ?? ''}:${suite}`, architecture, suite }
    throw new Fault(`is “${text}”; valid names of images built here: ${builtInImages.join(', ')}`)
  }
  if (existsSync(path)) return { kind: 'file', path: existingFile(path) }
  if (name !== undefined) return { kind: 'catalogue', name, tag: tag ?? 'latest' }
  throw new Fault(
    `is “${text}”, which is neither a file (${path} does not exist) nor a URL nor a name such as raspios-lite-arm64:bookworm or ${builtInImages.slice(0, 2).join(', ')}`
  )
}

/** What can be known of an image's architecture before it is here. */
export function architectureOf(image: ImageRef): Architecture | undefined {
  if (image.kind === 'mini' || image.kind === 'debian') return image.architecture
  return image.kind === 'catalogue'
    ? architectures.find(architecture => image.name.split('-').includes(architecture))
    : undefined
}
