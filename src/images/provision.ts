import type { RootFacts } from './families'
import { fastBoot } from './provision/fast-boot'
import { firstBootOnDisk, firstBootPart, noPreload } from './provision/first-boot'
import { hostName } from './provision/identity'
import { miniLogin, passwordlessSudo, passwordSlot, sshLogin, usableShell } from './provision/login'
import { network } from './provision/network'
import type { Part, Provisioning } from './provision/part'
import { releaseOf } from './releases'

export type { Provisioning, Slot } from './provision/part'
export { firstBootUnits, needlessModules, needlessUnits, wizardUnit } from './provision/units'

/** Raise when what provisioning does changes: images prepared before are then not used again. */
export const provisionVersion = 20

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
      ? [miniLogin(), hostName(facts, hostname)]
      : [
          sshLogin(facts),
          usableShell(facts, user),
          passwordSlot(facts, user),
          network(facts, release),
          passwordlessSudo(facts, user),
          hostName(facts, hostname),
          noPreload(facts),
          firmware === undefined ? firstBootPart(facts, release, firstBoot) : firstBootOnDisk(facts),
          boot === 'fast' ? fastBoot(facts, { firstBoot, ownArguments: firmware === undefined }) : {}
        ]
  const edits = parts.flatMap(part => part.edits ?? [])
  return {
    edits,
    notes: parts.flatMap(part => part.notes ?? []),
    slots: parts.flatMap(part => part.slots ?? []),
    kernelArguments: parts.flatMap(part => part.kernelArguments ?? []),
    created: edits.flatMap(edit => (edit.kind === 'file' || edit.kind === 'symlink' ? [edit.path] : []))
  }
}
