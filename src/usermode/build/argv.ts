import type { Building } from '../../inputs'

export interface BuildPlan {
  readonly context: string
  readonly how: Building
  /** Docker's names. */
  readonly platforms: readonly string[]
  /** Undefined for the current one. */
  readonly builder: string | undefined
  /** File that Buildx writes what it made to. */
  readonly metadata: string
}

const repeated = (flag: string, values: readonly string[]): readonly string[] => values.flatMap(value => [flag, value])

/**
 * Arguments of `docker`. Secrets are told by where they are; Buildx reads them itself. The plain form of progress is what a log of
 * a job can show, and what every version has.
 */
export function buildArguments({ context, how, platforms, builder, metadata }: BuildPlan): readonly string[] {
  return [
    ...['buildx', 'build', '--progress', 'plain', '--metadata-file', metadata],
    ...(builder === undefined ? [] : ['--builder', builder]),
    ...['--platform', platforms.join(',')],
    ...(how.file === undefined ? [] : ['--file', how.file]),
    ...(how.target === undefined ? [] : ['--target', how.target]),
    ...repeated('--tag', how.tags),
    ...repeated(
      '--build-arg',
      Object.entries(how.args).map(([name, value]) => `${name}=${value}`)
    ),
    ...repeated('--secret', how.secrets),
    ...repeated('--output', how.outputs),
    ...repeated('--cache-from', how.cacheFrom),
    ...repeated('--cache-to', how.cacheTo),
    ...(how.push ? ['--push'] : []),
    ...(how.load ? ['--load'] : []),
    ...['--', context]
  ]
}

/** What `docker buildx inspect` says of the current builder. */
export interface CurrentBuilder {
  readonly name: string
  readonly driver: string
}

/** Reads it; undefined where there is none. */
export function readBuilder(text: string): CurrentBuilder | undefined {
  const name = /^Name:\s+(\S+)/m.exec(text)?.[1]
  const driver = /^Driver:\s+(\S+)/m.exec(text)?.[1]
  return name === undefined || driver === undefined ? undefined : { name, driver }
}

export interface BuilderChoice {
  /** Undefined for the current one. */
  readonly builder: string | undefined
  /** Whether it is to be made first. */
  readonly isNew: boolean
  /** For the log. */
  readonly why: string
}

export interface BuilderRequest {
  readonly how: Pick<Building, 'builder' | 'cacheTo' | 'outputs'>
  readonly platforms: readonly string[]
  readonly current: CurrentBuilder | undefined
  /** Whether the engine keeps images as containerd does: then its own builder can do all of it. */
  readonly keepsLists: boolean
  /** Name for one of our own. */
  readonly own: string
}

/** Which builder to use: the one asked for, the current one if it can do the job, or a new one. */
export function chooseBuilder({ how, platforms, current, keepsLists, own }: BuilderRequest): BuilderChoice {
  if (how.builder !== undefined) return { builder: how.builder, isNew: false, why: 'as asked for' }
  if (current !== undefined && current.driver !== 'docker')
    return { builder: undefined, isNew: false, why: `${current.name}, the current one (${current.driver})` }
  const lacking = [
    ...(platforms.length > 1 ? ['several platforms'] : []),
    ...how.outputs.filter(output => /(^|,)type=oci\b/.test(output)).map(() => 'type=oci'),
    ...how.cacheTo.filter(cache => !/(^|,)type=inline\b/.test(cache)).map(() => '`cache-to`')
  ]
  const [first] = lacking
  if (keepsLists || first === undefined) return { builder: undefined, isNew: false, why: "the engine's own" }
  return {
    ...{ builder: own, isNew: true },
    why: `a new one: the engine's own cannot do ${first} without its containerd image store`
  }
}

/** Arguments that make a builder. One that has to reach a registry on this host is on its network. */
export function createBuilderArguments(
  name: string,
  how: Pick<Building, 'tags' | 'cacheFrom' | 'cacheTo'>
): readonly string[] {
  const isLocal = [...how.tags, ...how.cacheFrom, ...how.cacheTo].some(text =>
    /(^|[=,])(localhost|127(\.\d+){3}):\d+\//.test(text)
  )
  return [
    ...['buildx', 'create', '--name', name, '--driver', 'docker-container'],
    ...(isLocal ? ['--driver-opt', 'network=host'] : [])
  ]
}

/** What Buildx made. */
export interface Built {
  readonly digest: string | undefined
  readonly imageId: string | undefined
}

/** Reads the metadata file. */
export function readMetadata(text: string): Built {
  const values = JSON.parse(text) as Readonly<Record<string, unknown>>
  const word = (name: string): string | undefined => {
    const value = values[name]
    return typeof value === 'string' ? value : undefined
  }
  const digest = word('containerimage.digest')
  return { digest, imageId: word('containerimage.config.digest') ?? digest }
}

/** The first version of Buildx that writes what it made to a file. */
const oldestBuildx = [0, 6] as const

/** Whether a version (`github.com/docker/buildx v0.17.1 257815a`) is new enough; one that cannot be read is. */
export function isNewEnough(text: string): boolean {
  const [, major = '1', minor = '0'] = /\bv?(\d+)\.(\d+)\.\d+/.exec(text) ?? []
  return Number(major) > oldestBuildx[0] || Number(minor) >= oldestBuildx[1]
}
