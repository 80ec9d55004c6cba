import type { RootFacts } from './families'
import { fastBoot } from './provision/fast-boot'
import { firstBootOnDisk, firstBootPart, noPreload } from './provision/first-boot'
import { holding } from './provision/hold'
import { hostName } from './provision/identity'
import { miniLogin, passwordlessSudo, passwordSlot, sshLogin, usableShell } from './provision/login'
import { network } from './provision/network'
import type { Part, Provisioning } from './provision/part'
import { quietLogin } from './provision/quiet-login'
import { releaseOf } from './releases'

export { authorizedKeys, miniAuthorizedKeys } from './provision/login'
export { channelName, holdArgument, keysFile, letGoText, reseedFile } from './provision/hold'
export type { Provisioning, Replaced, Slot } from './provision/part'
export { firstBootUnits, needlessModules, needlessUnits, wizardUnit } from './provision/units'

/** Raise when what provisioning does changes: images prepared before are then not used again. */
export const provisionVersion = 9

export interface Wishes {
  readonly firstBoot?: 'skip' | 'run' | undefined
  readonly hostname?: string | undefined
  /** Where that starts the image, the arguments of its kernel are not ours to choose. */
  readonly firmware?: 'uefi' | undefined
  /** Whether the boot is made short; by default it is. */
  readonly boot?: 'fast' | 'full' | undefined
}

/** Decides how an image is made ready for an unattended login. Pure: facts in, changes out. */
export function provisioning(
  facts: RootFacts,
  user: string,
  { firstBoot = 'skip', hostname, firmware, boot = 'fast' }: Wishes = {}
): Provisioning {
  const release = releaseOf(facts)
  const parts: readonly Part[] =
    facts.family === 'mini'
      ? [miniLogin(), hostName(facts, hostname), holding(facts)]
      : [
          sshLogin(facts),
          usableShell(facts, user),
          passwordSlot(facts, user),
          network(facts, release),
          passwordlessSudo(facts, user),
          hostName(facts, hostname),
          holding(facts),
          noPreload(facts),
          firmware === undefined ? firstBootPart(facts, release, firstBoot) : firstBootOnDisk(facts),
          ...(boot === 'fast'
            ? [quietLogin(facts), fastBoot(facts, { firstBoot, ownArguments: firmware === undefined })]
            : [])
        ]
  const all = parts.flatMap(part => part.edits ?? [])
  // Several parts may need the same folder.
  const edits = all.filter(
    ({ kind, path }, at) => kind !== 'folder' || all.findIndex(edit => edit.kind === kind && edit.path === path) === at
  )
  return {
    edits,
    notes: parts.flatMap(part => part.notes ?? []),
    slots: parts.flatMap(part => part.slots ?? []),
    kernelArguments: parts.flatMap(part => part.kernelArguments ?? []),
    replaced: parts.flatMap(part => part.replaced ?? []),
    created: edits.flatMap(edit => (edit.kind === 'file' || edit.kind === 'symlink' ? [edit.path] : []))
  }
}
