import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'

/** A file that a program asks for by a full path: the sysroot's where there is one, else the host's, as QEMU does it. */
export function seenAt(sysroot: string | undefined, path: string): string | undefined {
  const places = sysroot === undefined ? [path] : [join(sysroot, path), path]
  return places.find(place => existsSync(place))
}

/** What the dynamic loader's configuration adds to its own folders. */
export interface LoaderConfiguration {
  /** Folders of ld.so.conf(5), as the program sees them. */
  readonly folders: readonly string[]
  /** Full paths of libraries in ld.so.cache, as the program sees them. */
  readonly cached: readonly string[]
}

/** The configuration in a sysroot; an image has one, the folder of a cross compiler has not. */
export function loaderConfiguration(sysroot: string): LoaderConfiguration {
  return { folders: configuredFolders(sysroot), cached: cachedPaths(sysroot) }
}

function configuredFolders(sysroot: string): readonly string[] {
  const snippets = join(sysroot, 'etc/ld.so.conf.d')
  const files = existsSync(snippets)
    ? readdirSync(snippets)
        .filter(name => name.endsWith('.conf'))
        .sort()
        .map(name => join(snippets, name))
    : []
  return [join(sysroot, 'etc/ld.so.conf'), ...files]
    .flatMap(file => (existsSync(file) ? readFileSync(file, 'utf8').split('\n') : []))
    .map(line => line.replace(/#.*/, '').trim())
    .filter(line => line.startsWith('/'))
}

/** Its paths stand in it as text; the rest of the format is not needed to know which are there. */
function cachedPaths(sysroot: string): readonly string[] {
  const file = join(sysroot, 'etc/ld.so.cache')
  if (!existsSync(file)) return []
  return readFileSync(file, 'latin1')
    .split('\0')
    .filter(text => /^\/[\x20-\x7e]+$/.test(text))
}
