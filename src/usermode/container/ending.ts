import type { ScriptResult } from '../../script-run'
import { BadInput, HostFailure } from '../../report/errors'
import { told } from './argv'

/** What is known of a container whose script has ended. */
export interface Ended {
  readonly image: string
  readonly platform: string
  /** Its status; undefined if the engine does not know the container any more, or still has it running. */
  readonly status: number | undefined
  /** What the engine says went wrong. */
  readonly fault: string
  /** Lines that its start told. */
  readonly told: readonly string[]
  /** First words on its standard error. */
  readonly words: string
  readonly timedOut: boolean
  /** Where the script was to start. */
  readonly directory: string | undefined
}

/**
 * How a script in a container ended: its own status, whatever that is.
 * @throws HostFailure if it was not the script that ended; BadInput for a folder that is not there
 */
export function scriptEnding(ended: Ended): ScriptResult {
  const { status, timedOut, image, platform } = ended
  const machine = ended.told.find(line => line.startsWith(told.machine))
  if (machine !== undefined) {
    throw new HostFailure({
      symptom: `${image} is for ${machine.slice(told.machine.length)}, and \`platforms\` asks for ${platform}`,
      cause: 'the image, or the copy of it that this host has, is of another platform than it says',
      remedy: 'give `platforms` the platform of the image, or remove the copy from this host'
    })
  }
  if (ended.told.includes(told.directory))
    throw new BadInput([`input \`working-directory\` is “${ended.directory ?? ''}”, which the container does not have`])
  if (!ended.told.includes(told.started)) throw notStarted(ended)
  if (timedOut) return { outcome: 'timeout', exitCode: 124, signal: undefined }
  if (status === undefined) {
    throw new HostFailure({
      symptom: `the container was lost while its script ran: ${ended.fault || 'its engine does not know it any more'}`,
      cause: 'the engine ended or was restarted, or somebody removed the container',
      remedy: "look at the engine's log: journalctl -u docker"
    })
  }
  return { outcome: status === 0 ? 'success' : 'script-failed', exitCode: status, signal: undefined }
}

function notStarted({ image, platform, status, fault, words }: Ended): HostFailure {
  const said = [fault, words.trim()].filter(text => text !== '').join('\n') || `status ${status ?? 'unknown'}`
  const row = starts.find(({ pattern }) => pattern.test(said))
  return new HostFailure({
    symptom: `${row?.symptom ?? 'the script could not be started'} in ${image}: ${said}`,
    cause: row?.cause ?? (status === 127 ? 'it may have no `sh`' : undefined),
    remedy: row?.remedy.replace('PLATFORM', platform)
  })
}

const starts: readonly {
  readonly pattern: RegExp
  readonly symptom: string
  readonly cause: string
  readonly remedy: string
}[] = [
  {
    pattern: /exec format error/i,
    symptom: 'no program runs',
    cause: 'its programs are of a platform that this host cannot run',
    remedy: 'check that the image is for PLATFORM'
  },
  {
    pattern: /["“]?sh["”]?:? .*(executable file not found|no such file)|exec sh failed/i,
    symptom: 'there is no shell',
    cause: 'a script needs one, and this image has no `sh`',
    remedy: 'use an image with a shell, or run the program with `docker run` in a step after one with only `mode: user`'
  },
  {
    pattern: /unable to find user|no matching entries in passwd/i,
    symptom: 'there is no such user',
    cause: 'the image does not know the user',
    remedy: 'leave out `user`, or name one of the image'
  },
  {
    pattern: /can't open|cannot open|permission denied/i,
    symptom: "the run's files cannot be read",
    cause: "the engine runs on another host, or as another user, and does not see this host's folders",
    remedy: 'use an engine on this host: unset DOCKER_HOST, or `docker context use default`'
  }
]

/** Why a container could not be created, in the words of the engine. */
export function creationFailure(image: string, platform: string, words: string): HostFailure {
  const row = creations.find(({ pattern }) => pattern.test(words))
  return new HostFailure({
    symptom: `the container could not be created from ${image} for ${platform}: ${words.trim()}`,
    cause: row?.cause,
    remedy: row?.remedy
  })
}

const creations: readonly { readonly pattern: RegExp; readonly cause: string; readonly remedy: string }[] = [
  {
    pattern:
      /no match(ing manifest| for platform)|does not match the specified platform|no image found in (manifest|image index)/i,
    cause: 'the image is not made for this platform',
    remedy: 'choose another of `platforms`; `docker manifest inspect` lists those of an image'
  },
  {
    pattern: /unauthorized|denied|authentication required|not found|does not exist|manifest unknown|no such image/i,
    cause: 'the registry has no such image, or only for those who logged in',
    remedy: 'check the name; log in in a step before this one (docker login)'
  },
  {
    pattern: /no space left/i,
    cause: 'the disk is full',
    remedy: "free some space: docker system df shows what is the engine's"
  },
  {
    pattern: /dial tcp|no such host|timeout|temporary failure|connection refused|network is unreachable/i,
    cause: 'the registry cannot be reached',
    remedy: 'check the network, or give the image as a file (`docker save`)'
  }
]
