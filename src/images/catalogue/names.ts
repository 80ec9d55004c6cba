import type { Architecture } from '../../boards'

/** What the address of an image says about it. */
export interface Named {
  readonly name: string
  readonly architecture: Architecture
  readonly codename: string | undefined
  readonly version: string | undefined
  /** Dates in the address, `YYYY-MM-DD`, the file's own first. */
  readonly dates: readonly string[]
}

/** What else is known of an entry. */
export interface Hints {
  /** Device tags such as `pi4-64bit`. */
  readonly devices: readonly string[]
  /** What the lists that it is in are called, the innermost last. */
  readonly lists: readonly string[]
}

/**
 * The name that users give an image, made from its address alone, so that it stays the same whatever else is published.
 * Undefined if it is for no Arm architecture that we know of.
 */
export function nameOf(url: string, hints: Hints): Named | undefined {
  const path = decode(new URL(url).pathname)
  return raspios(path) ?? ubuntu(path) ?? other(path, hints)
}

/**
 * Raspberry Pi's own: `raspios_oldstable_lite_arm64/images/raspios_oldstable_lite_arm64-<directory's date>/
 * <file's date>-raspios-<codename>-arm64-lite.img.xz`. The channel is the name.
 */
function raspios(path: string): Named | undefined {
  const [, channel, word, directory, file, codename] =
    /\/(raspios(?:_[a-z]+)*_(arm64|armhf))\/images\/\1-(\d{4}-\d\d-\d\d)\/(\d{4}-\d\d-\d\d)-raspios-([a-z]+)-/.exec(
      path
    ) ?? []
  if (channel === undefined || directory === undefined || file === undefined) return undefined
  return {
    name: channel.replaceAll('_', '-'),
    architecture: word as 'arm64' | 'armhf',
    codename,
    version: undefined,
    dates: [file, directory]
  }
}

/** `ubuntu-24.04.3-preinstalled-server-arm64+raspi.img.xz` and `ubuntu-core-24-arm64+raspi.img.xz`; the server is just `ubuntu`. */
function ubuntu(path: string): Named | undefined {
  const [, core, version, flavour, word] =
    /\/ubuntu-(core-)?(\d+(?:\.\d+)*)(?:-preinstalled-([a-z]+))?-(arm64|armhf)\+raspi\./.exec(path) ?? []
  if (version === undefined || (core === undefined) === (flavour === undefined)) return undefined
  const kind = core === undefined ? (flavour === 'server' ? undefined : flavour) : 'core'
  const codename = /\/releases\/([a-z]+)\//.exec(path)?.[1]
  return {
    name: ['ubuntu', kind, word].filter(part => part !== undefined).join('-'),
    architecture: word as 'arm64' | 'armhf',
    codename,
    version,
    dates: []
  }
}

/** Words for an architecture. Some say more than our three do, and stay in the name. */
const architectureWords: Readonly<Record<string, { readonly architecture: Architecture; readonly telling?: true }>> = {
  arm64: { architecture: 'arm64' },
  aarch64: { architecture: 'arm64' },
  armv8: { architecture: 'arm64' },
  '64bit': { architecture: 'arm64' },
  armhf: { architecture: 'armhf' },
  arm: { architecture: 'armhf' },
  '32bit': { architecture: 'armhf' },
  armv6: { architecture: 'armhf', telling: true },
  armv6l: { architecture: 'armhf', telling: true },
  armv7: { architecture: 'armhf', telling: true },
  armv7l: { architecture: 'armhf', telling: true },
  armel: { architecture: 'armel' }
}

/** Releases of Debian and Ubuntu that images are named after. */
const codenames = /^(buster|bullseye|bookworm|trixie|forky|focal|jammy|noble|plucky|questing|resolute)$/
/** Say nothing that tells one image from another. */
const noise = /^(image|img|latest|releases?|preinstalled)$/
/** Numbers of versions, builds and dates. */
const number = /^(v?\d.*|r\d{3,}|(?=.*\d)[0-9a-f]{7,})$/

/** Any other image: the words of the file's name without numbers, and its architecture. */
function other(path: string, { devices, lists }: Hints): Named | undefined {
  const file = path.slice(path.lastIndexOf('/') + 1).toLowerCase()
  const stem = file.replace(/(\.(img|raw|sdcard|zip|xz|gz|zst|zstd|bz2|qcow2))+$/, '')
  // A dot parts words unless it stands in a number.
  const parts = stem.split(/[^a-z0-9.]+|\.(?!\d)|(?<!\d)\./).filter(part => part !== '')
  const words: string[] = []
  const versions: string[] = []
  let architecture: Architecture | undefined
  let codename: string | undefined
  for (const part of parts) {
    const known = Object.hasOwn(architectureWords, part) ? architectureWords[part] : undefined
    const [, word = part, glued] = /^([a-z]{2,})(\d+(?:\.\d+)+)$/.exec(part) ?? []
    if (known !== undefined) {
      architecture ??= known.architecture
      if (known.telling) words.push(part)
    } else if (codenames.test(part)) codename ??= part
    else if (number.test(part)) {
      const [, version, stage] = /^v?(\d+(?:\.\d+)+)$|^v?\d[\d.]*(alpha|beta|dev|pre|rc)\d*$/.exec(part) ?? []
      if (version !== undefined) versions.push(version)
      // What is not finished is not the next release of what is.
      if (stage !== undefined) words.push(stage)
    } else if (!noise.test(part)) {
      words.push(word)
      if (glued !== undefined) versions.push(glued)
    }
  }
  architecture ??= architectureOfDevices(devices)
  const vendor = /[a-z0-9]+/.exec((lists.at(-1) ?? '').toLowerCase())?.[0]
  if (vendor !== undefined && !words.join('').includes(vendor)) words.unshift(vendor)
  if (architecture === undefined || words.length === 0) return undefined
  const name = [...new Set(words), architecture].join('-')
  return {
    // Names start with a letter, and these are built here.
    name: /^(\d|(mini|debian)-\w+$)/.test(name) ? `os-${name}` : name,
    architecture,
    codename,
    version: versions[0],
    dates: /\d{4}-\d\d-\d\d/.exec(stem)?.slice(0) ?? []
  }
}

/** What starts on a 32-bit machine, too, is a 32-bit system. */
function architectureOfDevices(devices: readonly string[]): Architecture | undefined {
  if (devices.some(device => device.endsWith('-32bit'))) return 'armhf'
  return devices.some(device => device.endsWith('-64bit')) ? 'arm64' : undefined
}

function decode(path: string): string {
  try {
    return decodeURIComponent(path)
  } catch {
    return path
  }
}
