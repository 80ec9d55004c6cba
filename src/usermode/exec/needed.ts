import { realpathSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { ElfKind } from '../../host/elf'
import { dynamicOf, interpreterOf, type Dynamic } from './dynamic'
import { lookInto } from './elf-reader'
import { loaderConfiguration, seenAt } from './sysroot'

/** What a program needs of a sysroot and does not find there. */
export interface Missing {
  /** The dynamic loader, by its full path in the sysroot, or a library by its name. */
  readonly what: 'loader' | 'library'
  readonly name: string
  /** The file that asks for it: the program, or a library. */
  readonly neededBy: string
}

export interface NeededRequest {
  /** Path of the program on the host. */
  readonly program: string
  readonly sysroot: string
  readonly kind: ElfKind
  /** What Debian calls the platform in the names of its library folders: `arm-linux-gnueabihf`. */
  readonly triplets: readonly string[]
  /** LD_LIBRARY_PATH of the program, in folders. */
  readonly libraryPath: readonly string[]
}

interface Loaded {
  /** Path on the host. */
  readonly path: string
  /** Folder of the file as the program sees it. */
  readonly origin: string
  readonly dynamic: Dynamic
  /** RPATHs of this file and of those that brought it, each with the `$ORIGIN` of the file that has it. */
  readonly rpaths: readonly string[]
}

export interface NeededFiles {
  /** In the order in which they are asked for: the first explains the rest. */
  readonly missing: readonly Missing[]
  /** Paths on the host of those that are there, the program's own first. */
  readonly found: readonly string[]
}

/**
 * The libraries of a program, and those that are not to be found. Each file is searched for as the loader does it (ld.so(8)), a little more widely, since a library
 * that we only fail to find must not stop a program.
 */
export function neededFiles(request: NeededRequest): NeededFiles {
  const { program, sysroot, triplets } = request
  const look = lookInto(program, elf => ({ interpreter: interpreterOf(elf), dynamic: dynamicOf(elf) }))
  // A program without a loader starts by itself, whatever it names.
  if (look?.interpreter === undefined) return { missing: [], found: [program] }
  if (seenAt(sysroot, look.interpreter) === undefined)
    return { missing: [{ what: 'loader', name: look.interpreter, neededBy: program }], found: [program] }
  const { folders, cached } = loaderConfiguration(sysroot)
  const usual = [...triplets.flatMap(triplet => [`/lib/${triplet}`, `/usr/lib/${triplet}`]), '/lib', '/usr/lib']
  const everywhere = [...usual, '/usr/local/lib', ...folders]
  // musl's loader is its C library, under all the names that this has elsewhere.
  const own = basename(look.interpreter).startsWith('ld-musl-') ? /^lib(c|pthread|rt|m|dl|util|crypt)\./ : undefined
  const home = dirname(realpathSync(program))
  const queue: Loaded[] = [
    { path: program, origin: home, dynamic: look.dynamic, rpaths: expand(look.dynamic.rpath, home, triplets) }
  ]
  const met = new Set([basename(look.interpreter)])
  const missing: Missing[] = []
  const all = [program]
  for (let from = queue.shift(); from !== undefined; from = queue.shift()) {
    for (const name of from.dynamic.needed) {
      if (met.has(name) || own?.test(name) === true) continue
      met.add(name)
      const named = [...from.rpaths, ...expand(from.dynamic.runpath, from.origin, triplets)]
      const candidates = name.includes('/')
        ? [name]
        : [
            ...[...named, ...request.libraryPath, ...everywhere].map(folder => join(folder, name)),
            ...cached.filter(path => basename(path) === name)
          ]
      const found = firstOfKind(candidates, request, from.rpaths)
      if (found === undefined) missing.push({ what: 'library', name, neededBy: from.path })
      else {
        queue.push(found)
        all.push(found.path)
      }
    }
  }
  return { missing, found: all }
}

/** The loader passes over files of another machine. */
function firstOfKind(
  candidates: readonly string[],
  { sysroot, kind, triplets }: NeededRequest,
  rpaths: readonly string[]
): Loaded | undefined {
  for (const candidate of candidates) {
    const path = seenAt(sysroot, candidate)
    if (path === undefined) continue
    const fits = (elf: ElfKind): boolean => elf.machine === kind.machine && elf.bits === kind.bits
    const dynamic = lookInto(path, elf => (fits(elf) ? dynamicOf(elf) : undefined))
    if (dynamic === undefined) continue
    const origin = dirname(candidate)
    return { path, origin, dynamic, rpaths: [...expand(dynamic.rpath, origin, triplets), ...rpaths] }
  }
  return undefined
}

function expand(folders: readonly string[], origin: string, triplets: readonly string[]): readonly string[] {
  return folders.map(folder =>
    folder
      .replaceAll(/\$(ORIGIN\b|\{ORIGIN\})/g, () => origin)
      .replaceAll(/\$(LIB\b|\{LIB\})/g, () => join('lib', triplets[0] ?? ''))
  )
}
