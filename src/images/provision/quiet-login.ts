import type { RootFacts } from '../families'
import { replacing, type Part } from './part'

/** PAM's rules for a login by SSH. */
export const pamRules = '/etc/pam.d/sshd'

/**
 * A login by SSH that does not make the message of the day anew: nobody reads it, and Debian starts five programs and more
 * for it (pam_motd(8)), a quarter of a second of an emulated Pi. The message that is there is shown as before.
 */
export function quietLogin({ texts }: RootFacts): Part {
  const before = texts?.[pamRules]
  const after = before?.replace(/^(session\s.*\bpam_motd\.so\b(?!.*\bnoupdate\b).*?)[ \t]*$/gm, '$1 noupdate')
  if (before === undefined || after === undefined || after === before) return {}
  return {
    ...replacing({ path: pamRules, before, after }),
    notes: ['Login: the message of the day is not made anew (boot: fast)']
  }
}
