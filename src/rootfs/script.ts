import { constants, release } from 'node:os'
import type { Context } from '../context'
import { keepsHandlersApart } from '../host/foreign'
import { startText, type ScriptRequest } from '../guest'
import { BadInput, HostFailure } from '../report/errors'
import type { ScriptResult } from '../script-run'
import { enterRootfs, handlerLine, type EnterRequest, type EnterResult } from '../usermode'
import type { Emulation } from './place'

export interface RootfsScript extends Pick<
  EnterRequest,
  'rootfs' | 'at' | 'user' | 'timeout' | 'onStdout' | 'onStderr' | 'collected'
> {
  readonly script: ScriptRequest
  readonly files?: EnterRequest['files']
  readonly workspace?: EnterRequest['workspace']
}

/**
 * Runs a script in a root file system: with handlers of its own where this host allows it, else with the host's, and then the
 * log says so.
 * @throws BadInput or HostFailure
 */
export async function inRootfs(request: RootfsScript, emulation: Emulation, { log }: Context): Promise<ScriptResult> {
  const { script, files = [], workspace, ...rest } = request
  const handlers = (await emulation.provided()).flatMap(({ emulator: { name, elf }, interpreter }) =>
    interpreter === undefined
      ? []
      : [
          // setuid is safe here: the handlers are for this namespace alone.
          handlerLine({ name, elf, interpreter: interpreter.path, setuid: true, keepsName: interpreter.keepsName })
        ]
  )
  const rights = await emulation.rights()
  const own: EnterRequest = {
    ...{ ...rest, workspace, files, handlers, rights, isPrivate: emulation.isPrivate },
    start: startText(script, '/run/pi-qemu/script'),
    ...{ script: script.run, directory: script.workingDirectory }
  }
  if (emulation.isPrivate && handlers.length > 0 && !keepsHandlersApart(release()))
    await withoutNamespace(`the kernel ${release()} is older than 6.7`)
  let ended = await enterRootfs({ ...own, isPrivate: emulation.isPrivate })
  if (ended.kind === 'refused' && emulation.isPrivate && ['users', 'handlers'].includes(ended.part)) {
    await withoutNamespace(ended.why)
    ended = await enterRootfs({ ...own, isPrivate: false })
  }
  for (const note of ended.notes) log.info(note)
  return resultOf(ended)

  async function withoutNamespace(why: string): Promise<void> {
    if (rights === 'unprivileged')
      throw new HostFailure({
        symptom: `programs of the image cannot be run here: ${why}`,
        remedy: 'run as root or with sudo, so that handlers can be registered on this host; or use `mode: system`'
      })
    log.warn(
      `No namespace with users and handlers of its own (${why}): root in the image is root here, sudo in it works with \`setuid: true\` only, and the handlers are registered on this host until the run ends`
    )
    emulation.isPrivate = false
    await emulation.onHost()
  }
}

/** What parts of it a host may refuse, and what then. */
const refusals: Readonly<Record<string, (why: string) => Error>> = {
  directory: why =>
    new BadInput([`input \`working-directory\` names ${why}, which does not exist in the root file system`]),
  shell: why =>
    new HostFailure({
      symptom: `no script runs in this root file system: ${why}`,
      cause: /format/i.test(why)
        ? 'its programs are for another platform than the image says'
        : 'the image has no shell, or its dynamic loader is missing',
      remedy: 'check the image; scripts need /bin/sh in it'
    }),
  workspace: why =>
    new HostFailure({
      symptom: `the workspace cannot be shown to the user of the script as their own: ${why}`,
      cause: "its file system has no idmapped mounts (the kernel's documentation: filesystems/idmappings)",
      remedy: 'use `user: root`, or `sync: none`'
    }),
  write: why =>
    new HostFailure({
      symptom: `the root file system cannot be written: ${why}`,
      cause: /space/i.test(why) ? 'it is full' : undefined,
      remedy: '`disk-size` makes it larger'
    })
}

/** @throws BadInput or HostFailure if it did not get that far */
function resultOf(ended: EnterResult): ScriptResult {
  switch (ended.kind) {
    case 'refused':
      throw (
        refusals[ended.part]?.(ended.why) ??
        new HostFailure({
          symptom: `this host does not let a root file system be entered (${ended.part}): ${ended.why}`,
          cause: 'this is a container without the right to mount, or sudo needs a password',
          remedy: 'run directly on a host or virtual machine, as root or with sudo; or use `mode: system`'
        })
      )
    case 'ended':
      if (ended.timedOut) return { outcome: 'timeout', exitCode: 124, signal: undefined }
      return { outcome: ended.code === 0 ? 'success' : 'script-failed', exitCode: ended.code, signal: undefined }
    case 'killed': {
      const signal = nameOf(ended.signal)
      if (ended.timedOut) return { outcome: 'timeout', exitCode: 124, signal }
      return { outcome: 'script-failed', exitCode: 128 + ended.signal, signal }
    }
  }
}

/** `KILL` for 9. */
function nameOf(number: number): string {
  const found = Object.entries(constants.signals).find(([, value]) => value === number)
  return found?.[0].replace(/^SIG/, '') ?? String(number)
}
