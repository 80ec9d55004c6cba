import { HostFailure, ScriptFailure, type Failure } from '../../report/errors'

/** Lines of a step that are shown if it fails. */
const shown = 20

interface Step {
  name: string
  readonly lines: string[]
}

/** Follows the plain progress of Buildx, for what to say if the build fails. */
export class BuildProgress {
  private readonly steps = new Map<string, Step>()
  private failed: { readonly step: Step; readonly message: string } | undefined
  /** The last words that belong to no step. */
  private readonly others: string[] = []

  /** Takes a line of the log. */
  add(line: string): void {
    const [, number, text = ''] = /^#(\d+) (.*)$/.exec(line) ?? []
    if (number === undefined) {
      if (line.trim() !== '') keep(this.others, line)
      return
    }
    const step = this.steps.get(number)
    if (step === undefined) {
      this.steps.set(number, { name: text, lines: [] })
      return
    }
    const error = /^ERROR: (.*)$/.exec(text)?.[1]
    if (error !== undefined) this.failed ??= { step, message: error }
    const said = /^\d+\.\d+ (.*)$/.exec(text)?.[1]
    if (said !== undefined) keep(step.lines, said)
  }

  /** What to tell of a build that ended with a status other than 0. */
  failure(status: number): Failure {
    const last = [...this.others].reverse().find(line => line.startsWith('ERROR: ')) ?? this.others.join('\n')
    const code = /exit code: (\d+)/.exec(this.failed?.message ?? '')?.[1]
    if (this.failed !== undefined && code !== undefined) {
      const { name, lines } = this.failed.step
      const row = endings[Number(code)]
      return new ScriptFailure(Number(code), undefined, {
        symptom: [`the build failed in ${name}, with status ${code}:`, ...lines.map(line => `  ${line}`)].join('\n'),
        ...row
      })
    }
    const message = this.failed === undefined ? last : `${this.failed.step.name}: ${this.failed.message}`
    const row = causes.find(({ pattern }) => pattern.test(`${message}\n${this.others.join('\n')}`))
    return new HostFailure({
      symptom: `the build failed (status ${status}): ${message.replace(/^ERROR: /, '')}`,
      cause: row?.cause,
      remedy: row?.remedy
    })
  }
}

function keep(lines: string[], line: string): void {
  lines.push(line)
  if (lines.length > shown) lines.shift()
}

/** Statuses that say more than that the step failed. */
const endings: Readonly<Record<number, { readonly cause: string; readonly remedy: string }>> = {
  132: {
    cause: 'SIGILL: a program uses an instruction that the emulated CPU lacks',
    remedy: 'build it for this platform (-march), or give a newer `qemu-cpu`'
  },
  139: {
    cause: 'SIGSEGV: a program crashed, by itself or because of the emulation',
    remedy: '`qemu: private` has a newer emulator'
  }
}

/** Most telling first. */
const causes: readonly { readonly pattern: RegExp; readonly cause: string; readonly remedy: string }[] = [
  {
    pattern: /no match for platform|no matching manifest|does not match the specified platform/i,
    cause: 'a base image is not made for one of the platforms',
    remedy:
      'leave that platform out, or use another base image; `docker buildx imagetools inspect` lists their platforms'
  },
  {
    pattern: /exec format error/i,
    cause: 'the builder does not run on this host, whose handlers it would need',
    remedy: 'use a builder on this host, or one that runs the platform by itself'
  },
  {
    pattern: /no space left/i,
    cause: 'the disk is full',
    remedy: "free some space: docker system df shows what is the engine's"
  },
  {
    pattern: /failed to read dockerfile|open Dockerfile: no such file/i,
    cause: 'there is no such Dockerfile in the folder of `build`',
    remedy: 'name it with `file`'
  },
  {
    pattern: /operation not permitted|privileged|apply caps/i,
    cause: "this host's engine may not start the privileged container that a builder of its own needs",
    remedy: "switch the engine's containerd image store on, or build each platform by itself"
  },
  {
    pattern:
      /error reading from server|connection reset|closed network connection|cannot connect to the docker daemon|code = Unavailable|transport is closing|unexpected EOF|: EOF$|connection refused|graceful_stop/i,
    cause: 'the engine, or the registry, is not there or went away',
    remedy: 'see `docker info`, and the log of the engine (journalctl -u docker)'
  },
  {
    pattern: /unauthorized|denied|authentication required|insufficient_scope/i,
    cause: 'the registry wants a login, or this one may not do that',
    remedy: 'log in in a step before this one (docker login)'
  },
  {
    pattern: /dial tcp|no such host|i\/o timeout|network is unreachable/i,
    cause: 'a registry cannot be reached',
    remedy: 'check its name and the network'
  }
]
