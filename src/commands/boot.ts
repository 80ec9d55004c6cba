import { existsSync } from 'node:fs'
import { isIPv4 } from 'node:net'
import type { Pi } from '../boot'
import { sshHost } from '../guest'
import { loopback, type Inputs, type RawInputs } from '../inputs'
import { BadInput } from '../report/errors'
import { bootAndStay, EndRequest } from '../stay-up'
import { conclude, onTerminal, type Terminal } from './run'

/** What is particular to `pi-qemu boot`, and the words that are left. */
export interface BootWords {
  readonly image: string | undefined
  readonly listen: string | undefined
  readonly rest: readonly string[]
}

/**
 * Takes the image and `--listen` out of the words of `pi-qemu boot [IMAGE] [flags]`.
 * @throws BadInput for an address that is none
 */
export function bootWords(argv: readonly string[]): BootWords {
  const [image, words] = argv[0] === undefined || argv[0].startsWith('-') ? [undefined, argv] : [argv[0], argv.slice(1)]
  const at = words.findIndex(word => word === '--listen' || word.startsWith('--listen='))
  if (at < 0) return { image, listen: undefined, rest: words }
  const joined = words[at]?.startsWith('--listen=') === true
  const listen = joined ? words[at]?.slice('--listen='.length) : words[at + 1]
  if (listen === undefined || !isIPv4(listen))
    throw new BadInput([
      `flag \`--listen\` is “${listen ?? ''}”; valid: an IPv4 address of this host, or 0.0.0.0 for all`
    ])
  return { image, listen, rest: words.filter((_, index) => index < at || index > (joined ? at : at + 1)) }
}

/** Where an image is looked for in our container image if none is named; the second is where such containers have it. */
const mountedImages = ['/image.img', '/sdcard/filesystem.img']
/** Public keys that are mounted into the container. */
const mountedKeys = '/authorized_keys'

/** What `boot` does unless it is told otherwise. */
export interface BootDefaults {
  readonly raw: RawInputs
  readonly listen: string
}

/**
 * On a host nothing but the host itself reaches the guest. A container that our Dockerfile made says so in its
 * environment: there the engine decides who reaches it, so it listens on the address that ports are published from.
 */
export function bootDefaults(
  env: Readonly<NodeJS.ProcessEnv>,
  { network }: Pick<RawInputs, 'network'> = {},
  exists: (path: string) => boolean = existsSync
): BootDefaults {
  if (env['PI_QEMU_CONTAINER'] !== '1') return { raw: { sync: 'none' }, listen: loopback }
  const image = mountedImages.find(exists)
  return {
    raw: {
      sync: 'none',
      ...(network !== 'tap' && { 'ssh-port': '2222' }),
      ...(image !== undefined && { image }),
      ...(exists(mountedKeys) && { 'authorized-keys': mountedKeys })
    },
    listen: '0.0.0.0'
  }
}

/** What `boot` cannot do, in words. */
function faults({ mode, image, run, sync, copyOut, keepRunning }: Inputs): readonly string[] {
  const rows: readonly (readonly [wrong: boolean, fault: string])[] = [
    [mode === 'user', '`boot` boots a system, and `mode: user` does not; use `run`'],
    [image.kind === 'none', '`boot` needs an image; with `--image none` use `run`, whose result is the serial output'],
    [run !== undefined, '`boot` runs no script; use `run`, or `run --keep-running`'],
    [
      sync === 'both' || sync === 'out' || copyOut.length > 0,
      '`boot` brings nothing back from the guest; valid for `--sync`: none, in, live'
    ],
    [keepRunning, '`boot` ends with its Pi; use `run --keep-running`']
  ]
  return rows.filter(([wrong]) => wrong).map(([, fault]) => fault)
}

/** `pi-qemu boot`: a Pi that stays until it switches itself off, or the command is asked to end. */
export async function bootCommand({ raw, log }: Terminal, { image, listen }: BootWords): Promise<number> {
  if (image !== undefined && raw.image !== undefined)
    throw new BadInput(['there are two images: the first word, and `--image`; give one'])
  const defaults = bootDefaults(process.env, raw)
  const request = new EndRequest()
  const report = await onTerminal({
    raw: { ...defaults.raw, ...raw, ...(image !== undefined && { image }) },
    log,
    onSignal: request.take,
    work: async (parsed, context) => {
      const wrong = faults(parsed)
      if (wrong.length > 0) throw new BadInput(wrong)
      const inputs = { ...parsed, listen: listen ?? defaults.listen }
      return bootAndStay(inputs, context, {
        request,
        announce: pi => {
          for (const line of waysIn(inputs, pi)) log.info(line)
        }
      })
    }
  })
  conclude(report, log)
  return report.exitCode
}

/** How to reach a guest, a line each. */
export function waysIn(
  { listen, network, authorizedKeys, password, ports }: Inputs,
  { user, sshConfig, login: { host = loopback, port } }: Pick<Pi, 'user' | 'sshConfig' | 'login'>
): readonly string[] {
  const own = authorizedKeys.length > 0
  const isOpen = own || password !== undefined
  const from =
    network === 'user' && listen !== loopback
      ? `, from elsewhere by the address of this host or the port that was published`
      : ''
  const at = port === 22 ? '' : `-p ${port} `
  return [
    `With the key of this run: ssh -F ${sshConfig} ${sshHost}`,
    isOpen
      ? `With ${[...(own ? ['your own key'] : []), ...(password === undefined ? [] : ['the password'])].join(' or ')}: ssh ${at}${user}@${host}${from}`
      : 'Nobody else gets in: no --authorized-keys and no password were given',
    ...ports.map(
      ({ protocol, host: outer, guest }) => `Port ${guest}/${protocol} of the guest: ${host}:${outer}${from}`
    ),
    'The Pi stays up until it switches itself off; Ctrl-C or SIGTERM switch it off in order'
  ]
}
