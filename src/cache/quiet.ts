import { AsyncLocalStorage } from 'node:async_hooks'

/** Lines that a library wrote to stdout, workflow commands among them. */
type Lines = string[]

const listening = new AsyncLocalStorage<Lines>()
let installed = false

/**
 * What `work` writes to stdout, line by line, instead of having it there. @actions/cache says in its own words, as
 * annotations of the job, what we say in ours; and the script's output has stdout for itself. Only what is written on
 * behalf of `work` is taken, whatever else goes on meanwhile.
 */
export async function quietly<T>(work: () => Promise<T>, lines: Lines): Promise<T> {
  install()
  return listening.run(lines, work)
}

function install(): void {
  if (installed) return
  installed = true
  const write = process.stdout.write.bind(process.stdout)
  const taking = ((chunk: string | Uint8Array, ...rest: readonly unknown[]): boolean => {
    const lines = listening.getStore()
    if (lines === undefined) return (write as (...args: readonly unknown[]) => boolean)(chunk, ...rest)
    lines.push(
      ...Buffer.from(chunk)
        .toString()
        .split(/\r?\n/)
        .filter(line => line !== '')
    )
    const done = rest.find(argument => typeof argument === 'function') as (() => void) | undefined
    if (done !== undefined) queueMicrotask(done)
    return true
  }) as typeof process.stdout.write
  process.stdout.write = taking
}

/** What @actions/cache said is wrong, by its warnings and errors; its other words (debugging included) are left out. */
export function complaint(lines: readonly string[]): string | undefined {
  const said = lines.flatMap(line => /^::(?:warning|error)[^:]*::(.*)$/.exec(line)?.[1] ?? [])
  return said.length === 0 ? undefined : said.map(text => text.replaceAll('%0A', ' ').replaceAll('%25', '%')).join('; ')
}

/**
 * Why an entry could not be reserved. The library tells nobody but its debug output whether the key was taken, which is
 * no fault, or the job may not write.
 */
export function reservation(lines: readonly string[]): 'taken' | { readonly refused: string } | undefined {
  const said = lines.find(line => /^::debug::Failed to reserve cache: /.test(line))
  if (said === undefined) return undefined
  return /already.exists|\(409\)/i.test(said)
    ? 'taken'
    : { refused: said.replace(/^::debug::Failed to reserve cache: (?:Error: )?/, '') }
}
