/**
 * Readers of single values. Each takes the text of an input and returns its value, or throws a {@link Fault} with the
 * rest of the sentence "input `x` …".
 */
export class Fault extends Error {}

const quoted = (text: string): string => `“${text.length > 60 ? `${text.slice(0, 60)}…` : text}”`

export function oneOf<T extends string>(...valid: readonly T[]): (text: string) => T {
  return text => {
    const match = valid.find(value => value === text)
    if (match === undefined) throw new Fault(`is ${quoted(text)}; valid: ${valid.join(', ')}`)
    return match
  }
}

export function truth(text: string): boolean {
  return oneOf('true', 'false')(text.toLowerCase()) === 'true'
}

/** A duration in ms: `90`, `90s`, `10m`, `2h`. */
export function duration(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*(ms|s|m|h|)$/.exec(text)
  const unit = { ms: 1, '': 1000, s: 1000, m: 60_000, h: 3_600_000 }[match?.[2] ?? '']
  const value = Math.round(Number(match?.[1]) * (unit ?? Number.NaN))
  // setTimeout's limit is 2^31 - 1 ms: more would fire at once.
  if (!(value > 0) || value >= 2 ** 31)
    throw new Fault(`is ${quoted(text)}; valid: a time such as 90s, 10m or 2h, at most 24 days`)
  return value
}

export function count(min: number, max: number): (text: string) => number {
  return text => {
    const value = /^\d+$/.test(text) ? Number(text) : Number.NaN
    if (!(value >= min && value <= max))
      throw new Fault(`is ${quoted(text)}; valid: a whole number from ${min} to ${max}`)
    return value
  }
}

/** The name of a command. */
export function piName(text: string): string {
  if (!/^[a-z][a-z0-9-]{0,31}$/.test(text))
    throw new Fault(`is ${quoted(text)}; valid: small letters, digits and dashes, a letter first, at most 32`)
  return text
}

/** Memory in MiB: `1024`, `1024M`, `2G`. */
export function memory(text: string): number {
  const match = /^(\d+)(?:([MG])(?:i?B)?)?$/i.exec(text)
  const value = Number(match?.[1]) * (match?.[2]?.toUpperCase() === 'G' ? 1024 : 1)
  if (!(value >= 128 && value <= 1_048_576))
    throw new Fault(`is ${quoted(text)}; valid: MiB from 128 up, or with a suffix, such as 2048 or 2G`)
  return value
}

/** A disk's size in bytes: `8G`, `512M`; MiB without a suffix. */
export function diskSize(text: string): number {
  const match = /^(\d+)(?:([MGT])(?:i?B)?)?$/i.exec(text)
  const value = Number(match?.[1]) * 1024 ** { M: 2, G: 3, T: 4 }[(match?.[2] ?? 'M').toUpperCase() as 'M' | 'G' | 'T']
  if (!(value >= 64 * 1024 ** 2 && value <= 2 * 1024 ** 4))
    throw new Fault(`is ${quoted(text)}; valid: a size from 64M to 2T, such as 8G`)
  return value
}

/** The name of a CPU model, with QEMU's properties behind it. */
export function cpuModel(text: string): string {
  if (!/^[a-z0-9][\w.-]*(,[a-z0-9-]+=[\w.-]+)*$/i.test(text))
    throw new Fault(`is ${quoted(text)}; valid: a CPU model of QEMU's, such as cortex-a72 or max`)
  return text
}

/** Lines `MODEL` or `platform=MODEL`: by platform, under the empty name that of all others. */
export function cpuModels(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    lines(text).map(line => {
      const [, platform = '', model = ''] = /^(?:(linux\/[^=,\s]+)=)?(.*)$/.exec(line) ?? []
      return [platform, cpuModel(model)]
    })
  )
}

export function hostName(text: string): string {
  if (!/^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(text))
    throw new Fault(`is ${quoted(text)}; valid: up to 63 letters, digits and dashes`)
  return text
}

/** Never repeated in a message. */
export function password(text: string): string {
  if (/[\r\n\0]/.test(text) || text.length > 256) throw new Fault('has a line break, or is longer than 256 letters')
  return text
}

export function pattern(text: string): RegExp {
  try {
    return new RegExp(text)
  } catch (error) {
    throw new Fault(`is no valid regular expression: ${(error as Error).message}`)
  }
}

export function webAddress(text: string): string {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) throw new Fault(`is ${quoted(text)}; valid: an http(s) URL`)
  return text
}

export function sha256(text: string): string {
  const hex = text.toLowerCase().replace(/^sha256:/, '')
  if (!/^[0-9a-f]{64}$/.test(hex)) throw new Fault(`is ${quoted(text)}; valid: 64 hexadecimal digits`)
  return hex
}

/** A login name as useradd accepts it. */
export function userName(text: string): string {
  if (!/^[a-z_][a-z0-9_-]{0,31}$/.test(text)) throw new Fault(`is ${quoted(text)}; valid: a login name such as pi`)
  return text
}

/** Non-empty lines, without blanks around them. */
export function lines(text: string): readonly string[] {
  return text
    .split(/\r?\n/)
    .map(line => line.trim())
    .filter(line => line !== '')
}

/** Lines with an absolute path each, wildcards allowed. */
export function guestPatterns(text: string): readonly string[] {
  return lines(text).map(line => {
    if (!line.startsWith('/') || line.split('/').includes('..'))
      throw new Fault(
        `has the line ${quoted(line)}; valid: an absolute path in the guest without “..”, * and ? allowed`
      )
    return line
  })
}

/** Lines `NAME=value` or `NAME`; the latter takes its value from `from`, and is left out where that has none. */
export function environment(from: Readonly<NodeJS.ProcessEnv>): (text: string) => Readonly<Record<string, string>> {
  return text => {
    const result: Record<string, string> = {}
    for (const line of text.split(/\r?\n/)) {
      if (line.trim() === '') continue
      if (line.trim() === 'inherit-github') {
        Object.assign(result, ofGitHub(from))
        continue
      }
      const [, name = '', value] = /^\s*([^=\s]+)(?:=(.*))?\s*$/s.exec(line) ?? []
      if (!/^[A-Za-z_]\w*$/.test(name))
        throw new Fault(`has the line ${quoted(line)}; valid: NAME, NAME=value or inherit-github`)
      const chosen = value ?? (Object.hasOwn(from, name) ? from[name] : undefined)
      if (chosen !== undefined) result[name] = chosen
    }
    return result
  }
}

/** Variables about the job that are no secrets, and no files of this host. */
function ofGitHub(from: Readonly<NodeJS.ProcessEnv>): Readonly<Record<string, string>> {
  const files = ['OUTPUT', 'ENV', 'PATH', 'STEP_SUMMARY', 'STATE', 'EVENT_PATH', 'WORKSPACE', 'ACTION_PATH']
  const isOne = (name: string): boolean =>
    /^GITHUB_\w+$/.test(name) &&
    !/TOKEN|SECRET|PASSWORD|KEY/.test(name) &&
    !files.includes(name.slice('GITHUB_'.length))
  return Object.fromEntries(
    Object.entries(from).flatMap(([name, value]) => (value !== undefined && isOne(name) ? [[name, value]] : []))
  )
}

export interface PortForward {
  readonly protocol: 'tcp' | 'udp'
  readonly host: number
  readonly guest: number
}

export function ports(text: string): readonly PortForward[] {
  const seen = new Set<string>()
  return lines(text).map(line => {
    const match = /^(\d+):(\d+)(?:\/(tcp|udp))?$/.exec(line)
    const [host, guest] = [Number(match?.[1]), Number(match?.[2])]
    if (![host, guest].every(port => port >= 1 && port <= 65535)) {
      throw new Fault(`has the line ${quoted(line)}; valid: host:guest or host:guest/udp, ports from 1 to 65535`)
    }
    const protocol = match?.[3] === 'udp' ? 'udp' : 'tcp'
    if (seen.has(`${host}/${protocol}`)) throw new Fault(`names the host port ${host}/${protocol} twice`)
    seen.add(`${host}/${protocol}`)
    return { protocol, host, guest }
  })
}

/** Splits at blanks; single and double quotes group, a backslash outside single quotes takes the next letter as is. */
export function words(text: string): readonly string[] {
  const result: string[] = []
  let word: string | undefined
  let quote = ''
  for (let at = 0; at < text.length; at++) {
    const letter = text[at] ?? ''
    if (letter === '\\' && quote !== "'") word = (word ?? '') + (text[++at] ?? '')
    else if (quote !== '' && letter === quote) quote = ''
    else if (quote === '' && (letter === '"' || letter === "'")) {
      quote = letter
      word ??= ''
    } else if (quote === '' && /\s/.test(letter)) {
      if (word !== undefined) result.push(word)
      word = undefined
    } else word = (word ?? '') + letter
  }
  if (quote !== '') throw new Fault(`has a quote (${quote}) that is not closed`)
  if (word !== undefined) result.push(word)
  return result
}

const diskFormats = { '.qcow2': 'qcow2', '.xz': 'xz', '.zst': 'zst', '.img': 'raw', '.raw': 'raw' } as const
export type DiskFormat = (typeof diskFormats)[keyof typeof diskFormats]

/** Where to save a disk image, and in which format, by its ending. */
export function imageTarget(text: string): { readonly path: string; readonly format: DiskFormat } {
  const ending = Object.keys(diskFormats).find((key): key is keyof typeof diskFormats => text.endsWith(key))
  if (ending === undefined)
    throw new Fault(`is ${quoted(text)}; valid: a file name that ends in ${Object.keys(diskFormats).join(', ')}`)
  return { path: text, format: diskFormats[ending] }
}
